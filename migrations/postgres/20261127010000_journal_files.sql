-- The small files of each journal, as they are on its host: which journal it is, and the manifest of its segments.
CREATE TABLE journal_files (
    journal INTEGER NOT NULL,
    name TEXT NOT NULL,
    mode INTEGER NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (journal, name)
);
