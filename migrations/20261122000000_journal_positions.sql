-- What has been projected of each segment. A segment is named after its UTC day and number, and so is its id
-- (2026-11-22_001 is 20261122001): every rebuild gives it the same one, and the order of ids is the order of segments.
CREATE TABLE journal_segments (
    id INTEGER PRIMARY KEY,
    journal_id TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    inode TEXT NOT NULL,
    -- The position: everything before this byte is projected. Always just behind a newline.
    projected_bytes INTEGER NOT NULL DEFAULT 0,
    -- When the position last stood at the end of the segment; null: never yet.
    caught_up_at TEXT,
    -- CRC-32 of all bytes before the position, to tell a faithful copy of the segment from another file.
    projected_crc32 INTEGER NOT NULL DEFAULT 0,
    last_line_offset INTEGER,
    last_line_length INTEGER,
    last_line_crc32 INTEGER,
    lines INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0,
    completions INTEGER NOT NULL DEFAULT 0,
    rejected_lines INTEGER NOT NULL DEFAULT 0,
    unchecked_lines INTEGER NOT NULL DEFAULT 0,
    late_lines INTEGER NOT NULL DEFAULT 0
);

-- Whole lines that can't be projected. The line itself stays in the journal at its place.
CREATE TABLE rejected_lines (
    segment_id INTEGER NOT NULL REFERENCES journal_segments(id),
    byte_offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    excerpt TEXT NOT NULL,
    PRIMARY KEY (segment_id, byte_offset)
);

-- Which version of each projection's fold filled this database. A program whose fold differs asks for a replay.
CREATE TABLE projections (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL
);
INSERT INTO projections (name, version) VALUES ('requests', 1), ('token_ratios', 1);
