-- A row's place in the journal: null on rows that existed before there was a journal. No foreign key on segment_id:
-- it would be checked on every insert, and only the projector writes it, in the transaction that has the segment's row.
ALTER TABLE requests ADD COLUMN stream_duration_ms INTEGER;
ALTER TABLE requests ADD COLUMN labels TEXT;
ALTER TABLE requests ADD COLUMN segment_id INTEGER;
ALTER TABLE requests ADD COLUMN byte_offset INTEGER;
ALTER TABLE requests ADD COLUMN completed_segment_id INTEGER;
ALTER TABLE requests ADD COLUMN completed_byte_offset INTEGER;

-- Counts rows that are not from the journal without reading the others; empty where every row came from it.
CREATE INDEX idx_requests_unjournaled ON requests(id) WHERE segment_id IS NULL;

-- Ids that a replay gives begin behind this one.
CREATE TABLE unjournaled_requests (
    last_id INTEGER NOT NULL
);
INSERT INTO unjournaled_requests (last_id)
    SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'requests'), 0);

-- Timestamps of those rows become canonical, so that text order is time order over the whole table.
-- The pattern keeps out text that strftime would read as a Julian day number.
UPDATE requests
    SET timestamp = strftime('%Y-%m-%dT%H:%M:%fZ', upper(timestamp))
    WHERE timestamp GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][Tt ][0-9][0-9]:[0-9][0-9]*'
      AND strftime('%Y-%m-%dT%H:%M:%fZ', upper(timestamp)) IS NOT NULL;

-- A stream_completed that came before its request waits here.
CREATE TABLE held_completions (
    segment_id INTEGER NOT NULL REFERENCES journal_segments(id),
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
CREATE INDEX idx_held_completions_correlation_id ON held_completions(correlation_id);

-- What token_ratios is computed from: the sum of output/input in integer millionths, so that neither the order of
-- events nor a correction by a completion can change a mean. Only rows from a journal count, live and in a replay.
CREATE TABLE token_ratio_sums (
    policy TEXT PRIMARY KEY,
    ratio_millionths INTEGER NOT NULL,
    sample_count INTEGER NOT NULL
);

-- Ratios that were there before count on, as if their samples had come first.
CREATE TABLE unjournaled_token_ratios (
    policy TEXT PRIMARY KEY,
    ratio_millionths INTEGER NOT NULL,
    sample_count INTEGER NOT NULL
);
INSERT INTO unjournaled_token_ratios (policy, ratio_millionths, sample_count)
    SELECT policy, CAST(round(avg_ratio * sample_count * 1e6) AS INTEGER), sample_count
    FROM token_ratios WHERE policy IS NOT NULL AND sample_count > 0;
INSERT INTO token_ratio_sums SELECT policy, ratio_millionths, sample_count FROM unjournaled_token_ratios;
DELETE FROM token_ratios;
INSERT INTO token_ratios (policy, avg_ratio, sample_count)
    SELECT policy, ratio_millionths / 1e6 / sample_count, sample_count FROM token_ratio_sums;
