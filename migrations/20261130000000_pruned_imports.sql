-- Imported segments that were pruned while segments before them stay, since their requests were old enough: their ids stay
-- unused, so that a replay gives the rows after them the same ids.
CREATE TABLE pruned_imports (
    segment_id INTEGER PRIMARY KEY,
    -- How many rows it had.
    requests INTEGER NOT NULL
);
