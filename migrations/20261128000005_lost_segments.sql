-- Segments of which a replay with --allow-missing has lost lines that had been projected. Counters
-- never fall, so they count these lines for ever, and `verify` has to know. This holds also after
-- such a segment has come back, when missing_segments has forgotten it.
CREATE TABLE lost_segments (
    name TEXT PRIMARY KEY,
    -- 1: other bytes stand where lines were counted, so that their own lines were not.
    is_replaced INTEGER NOT NULL,
    lost_at TEXT NOT NULL
);
