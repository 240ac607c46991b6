-- Retries and fallbacks of a request share its correlation_id; `attempt` tells them apart. Null: not told.
ALTER TABLE requests ADD COLUMN attempt INTEGER;
ALTER TABLE held_completions ADD COLUMN attempt INTEGER;
ALTER TABLE carried_completions ADD COLUMN attempt INTEGER;
DROP INDEX IF EXISTS idx_held_completions_correlation_id;
CREATE INDEX idx_held_completions_correlation_id ON held_completions(correlation_id, attempt);

-- Completions that landed on a row which had one already, and those that named no attempt and found several rows open.
ALTER TABLE journal_segments ADD COLUMN repeated_completions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal_segments ADD COLUMN ambiguous_completions INTEGER NOT NULL DEFAULT 0;

-- Completions whose row a later one has overwritten. With them it is known of every completion which row it changed,
-- and which `success` was in force after it: a later one that leaves `success` out keeps that.
CREATE TABLE superseded_completions (
    segment_id INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL,
    request_id INTEGER NOT NULL,
    success BOOLEAN NOT NULL,
    PRIMARY KEY (segment_id, byte_offset)
) WITHOUT ROWID;
-- Those that are known of an earlier time. A correlation_id that several rows share asks for a replay, see below.
INSERT OR IGNORE INTO superseded_completions
    SELECT c.segment_id, c.byte_offset, r.id, coalesce(c.success, r.success)
    FROM carried_completions c JOIN requests r ON r.correlation_id = c.correlation_id
    WHERE r.completed_segment_id IS NOT NULL
        AND NOT (r.completed_segment_id = c.segment_id AND r.completed_byte_offset = c.byte_offset);

-- Completions of segments that are still there, whose request was pruned: a replay leaves them out. One entry used to
-- stand for all earlier ones of its correlation_id too, which is wrong where a row that is left shares it.
CREATE TABLE pruned_completion_places (
    correlation_id TEXT NOT NULL,
    segment_id INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL,
    with_earlier BOOLEAN NOT NULL,
    PRIMARY KEY (correlation_id, segment_id, byte_offset)
) WITHOUT ROWID;
INSERT INTO pruned_completion_places SELECT correlation_id, segment_id, byte_offset, TRUE FROM pruned_completions;
DROP TABLE pruned_completions;

-- How many lines of pruned segments came late: while there were some, ids aren't in the order of the journal. Where a
-- segment was pruned before this was kept, a gap in the ids tells.
ALTER TABLE pruned_segments ADD COLUMN late_lines INTEGER NOT NULL DEFAULT 0;
UPDATE pruned_segments SET late_lines = (
    SELECT coalesce(max(0, max(r.id) - base.last_id - count(r.id)), 0)
    FROM unjournaled_requests base JOIN requests r ON r.id > base.last_id);

-- The rows of a correlation_id that is one row's alone are what they were. A database with others asks for a replay.
UPDATE projections SET version = 2
    WHERE name = 'requests' AND NOT EXISTS (
        SELECT 1
        FROM (SELECT correlation_id FROM requests GROUP BY correlation_id HAVING count(*) > 1) shared
        JOIN requests r ON r.correlation_id = shared.correlation_id
        WHERE r.completed_segment_id IS NOT NULL);
