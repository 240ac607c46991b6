-- Segments up to this one were pruned from this database: they aren't projected again, should their files come back.
-- Empty until something is pruned.
CREATE TABLE pruned_segments (
    through_segment_id INTEGER NOT NULL
);

-- Completions of segments that are still there, whose request was pruned: the last one of each request. A replay leaves
-- out those up to it, which would wait for their request for ever, or change a later one.
CREATE TABLE pruned_completions (
    correlation_id TEXT PRIMARY KEY,
    segment_id INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL
);

-- Completions of pruned segments that changed a request that is still there: a replay begins with them.
CREATE TABLE carried_completions (
    segment_id INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL,
    correlation_id TEXT NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_sats REAL,
    provider_cost_sats REAL,
    stream_duration_ms INTEGER,
    success BOOLEAN,
    error_status INTEGER,
    error_message TEXT,
    PRIMARY KEY (segment_id, byte_offset)
);
