-- A file is known by its device and its inode: fresh file systems hand out the same inode numbers. As text, like the
-- inode; null until the projector has looked at the segment once more.
ALTER TABLE journal_segments ADD COLUMN device TEXT;

-- Segments that are gone although they were sealed, archived or projected, and which somebody has told a projector or a
-- replay to do without (--allow-missing). Any other one that is gone stops both.
CREATE TABLE missing_segments (
    name TEXT PRIMARY KEY,
    accepted_at TEXT NOT NULL
);
