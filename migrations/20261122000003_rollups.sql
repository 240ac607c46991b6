-- Sums per hour and per day, so that statistics never read every request. Filled below from the rows that are there;
-- from then on the projector commits them with the rows, and a replay rebuilds them.

-- Labels that the sums are kept by; statistics by others are answered from the rows.
CREATE TABLE rollup_labels (
    name TEXT PRIMARY KEY
) WITHOUT ROWID;
INSERT INTO rollup_labels (name) VALUES ('tier');

-- Every combination that a request had, in the order in which the first of each came.
CREATE TABLE rollup_dimensions (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    provider TEXT,
    policy TEXT,
    -- A JSON object: of the labels in rollup_labels those that the request has, names in order.
    labels TEXT NOT NULL
);
CREATE INDEX idx_rollup_dimensions ON rollup_dimensions(model, provider, policy, labels);

CREATE TABLE rollups (
    grain TEXT NOT NULL CHECK (grain IN ('hour', 'day')),
    -- How the timestamps of its requests begin: 2026-11-22T19 or 2026-11-22.
    period TEXT NOT NULL,
    dimension_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    streams INTEGER NOT NULL,
    failed_streams INTEGER NOT NULL,
    -- Requests whose cost is unknown.
    unpriced INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    -- The sum is cost_sats + cost_nanosats / 1e9: integers, so that the order of events, replays and corrections by
    -- completions can't change it. Of each cost the whole sats and the rest in billionths, both cut toward zero
    -- and rounded; a cost beyond 9e15 sats counts as that.
    cost_sats INTEGER NOT NULL,
    cost_nanosats INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    PRIMARY KEY (grain, period, dimension_id)
) WITHOUT ROWID;

-- Requests that are not from the journal are counted up to this one: other programs may add some.
CREATE TABLE rollup_unjournaled (
    last_id INTEGER NOT NULL
);
INSERT INTO rollup_unjournaled (last_id) SELECT coalesce(max(id), 0) FROM requests WHERE segment_id IS NULL;

-- How the latencies of the same requests are spread: six bytes a bucket that isn't empty, in order: its number in two,
-- its count in four, most significant byte first. Up to 63 ms a bucket is a millisecond, from there on every power of
-- two is cut in 32, so that the middle of a bucket is within 1.6 % of what is in it.
CREATE TABLE rollup_latencies (
    grain TEXT NOT NULL,
    period TEXT NOT NULL,
    dimension_id INTEGER NOT NULL,
    buckets BLOB NOT NULL,
    PRIMARY KEY (grain, period, dimension_id)
) WITHOUT ROWID;

-- Counters for monitoring: they only grow, whatever is corrected, pruned or replayed. What completions took back is
-- counted in corrected_*.
CREATE TABLE request_counters (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    provider TEXT,
    policy TEXT,
    requests INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    unpriced INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    -- As in rollups.
    cost_sats INTEGER NOT NULL DEFAULT 0,
    cost_nanosats INTEGER NOT NULL DEFAULT 0,
    latency_ms INTEGER NOT NULL DEFAULT 0,
    corrected_failures INTEGER NOT NULL DEFAULT 0,
    corrected_unpriced INTEGER NOT NULL DEFAULT 0,
    corrected_input_tokens INTEGER NOT NULL DEFAULT 0,
    corrected_output_tokens INTEGER NOT NULL DEFAULT 0,
    corrected_cost_sats INTEGER NOT NULL DEFAULT 0,
    corrected_cost_nanosats INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX idx_request_counters ON request_counters(model, provider, policy);

-- Requests whose latency is at most le_ms and more than the le_ms before it; what is slower has no row.
CREATE TABLE latency_counters (
    counter_id INTEGER NOT NULL,
    le_ms INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (counter_id, le_ms)
) WITHOUT ROWID;

-- What the sums need to know of each row that is there.
CREATE TEMP TABLE rollup_fill AS
    SELECT id, timestamp, model, provider, policy,
        CASE WHEN json_valid(labels) AND json_type(labels, '$.tier') = 'text'
            THEN json_object('tier', json_extract(labels, '$.tier')) ELSE '{}' END AS labels,
        success = 0 AS failed, streaming <> 0 AS streamed, cost_sats IS NULL AS unpriced,
        -- A thousand of the greatest still fit a sum.
        max(-9007199254740991, min(9007199254740991, coalesce(CAST(input_tokens AS INTEGER), 0))) AS input_tokens,
        max(-9007199254740991, min(9007199254740991, coalesce(CAST(output_tokens AS INTEGER), 0))) AS output_tokens,
        max(-9e15, min(9e15, coalesce(cost_sats, 0) * 1.0)) AS cost,
        max(0, min(CAST(latency_ms AS INTEGER), 4294967295)) AS ms,
        max(-9007199254740991, min(9007199254740991, CAST(latency_ms AS INTEGER))) AS latency_ms
    FROM requests;

INSERT INTO rollup_dimensions (model, provider, policy, labels)
    SELECT model, provider, policy, labels FROM temp.rollup_fill GROUP BY model, provider, policy, labels ORDER BY min(id);

INSERT INTO rollups
    SELECT grain, substr(timestamp, 1, length), d.id, count(*), sum(failed), sum(streamed), sum(failed AND streamed),
        sum(f.unpriced), sum(input_tokens), sum(output_tokens), sum(CAST(cost AS INTEGER)),
        sum(CAST(round((cost - CAST(cost AS INTEGER)) * 1e9) AS INTEGER)), sum(latency_ms)
    FROM (SELECT 'hour' AS grain, 13 AS length UNION ALL SELECT 'day', 10)
    CROSS JOIN temp.rollup_fill f
    JOIN rollup_dimensions d ON d.model = f.model AND d.provider IS f.provider AND d.policy IS f.policy AND d.labels = f.labels
    GROUP BY 1, 2, 3;

INSERT INTO rollup_latencies
    SELECT grain, period, dimension_id, unhex(group_concat(printf('%04X%08X', bucket, requests), '' ORDER BY bucket))
    FROM (
        SELECT grain, substr(timestamp, 1, length) AS period, d.id AS dimension_id, count(*) AS requests,
        CASE
            WHEN ms < 64 THEN ms
            WHEN ms < 128 THEN 32 + (ms >> 1)
            WHEN ms < 256 THEN 64 + (ms >> 2)
            WHEN ms < 512 THEN 96 + (ms >> 3)
            WHEN ms < 1024 THEN 128 + (ms >> 4)
            WHEN ms < 2048 THEN 160 + (ms >> 5)
            WHEN ms < 4096 THEN 192 + (ms >> 6)
            WHEN ms < 8192 THEN 224 + (ms >> 7)
            WHEN ms < 16384 THEN 256 + (ms >> 8)
            WHEN ms < 32768 THEN 288 + (ms >> 9)
            WHEN ms < 65536 THEN 320 + (ms >> 10)
            WHEN ms < 131072 THEN 352 + (ms >> 11)
            WHEN ms < 262144 THEN 384 + (ms >> 12)
            WHEN ms < 524288 THEN 416 + (ms >> 13)
            WHEN ms < 1048576 THEN 448 + (ms >> 14)
            WHEN ms < 2097152 THEN 480 + (ms >> 15)
            WHEN ms < 4194304 THEN 512 + (ms >> 16)
            WHEN ms < 8388608 THEN 544 + (ms >> 17)
            WHEN ms < 16777216 THEN 576 + (ms >> 18)
            WHEN ms < 33554432 THEN 608 + (ms >> 19)
            WHEN ms < 67108864 THEN 640 + (ms >> 20)
            WHEN ms < 134217728 THEN 672 + (ms >> 21)
            WHEN ms < 268435456 THEN 704 + (ms >> 22)
            WHEN ms < 536870912 THEN 736 + (ms >> 23)
            WHEN ms < 1073741824 THEN 768 + (ms >> 24)
            WHEN ms < 2147483648 THEN 800 + (ms >> 25)
            WHEN ms < 4294967296 THEN 832 + (ms >> 26)
        END AS bucket
        FROM (SELECT 'hour' AS grain, 13 AS length UNION ALL SELECT 'day', 10)
        CROSS JOIN temp.rollup_fill f
        JOIN rollup_dimensions d ON d.model = f.model AND d.provider IS f.provider AND d.policy IS f.policy AND d.labels = f.labels
        GROUP BY 1, 2, 3, 5
    )
    GROUP BY 1, 2, 3;

INSERT INTO request_counters (model, provider, policy, requests, failures, unpriced, input_tokens, output_tokens, cost_sats,
        cost_nanosats, latency_ms)
    SELECT model, provider, policy, count(*), sum(failed), sum(unpriced), sum(input_tokens), sum(output_tokens),
        sum(CAST(cost AS INTEGER)), sum(CAST(round((cost - CAST(cost AS INTEGER)) * 1e9) AS INTEGER)), sum(max(0, latency_ms))
    FROM temp.rollup_fill GROUP BY model, provider, policy ORDER BY min(id);

INSERT INTO latency_counters
    SELECT c.id,
        CASE
            WHEN f.latency_ms <= 50 THEN 50
            WHEN f.latency_ms <= 100 THEN 100
            WHEN f.latency_ms <= 250 THEN 250
            WHEN f.latency_ms <= 500 THEN 500
            WHEN f.latency_ms <= 1000 THEN 1000
            WHEN f.latency_ms <= 2500 THEN 2500
            WHEN f.latency_ms <= 5000 THEN 5000
            WHEN f.latency_ms <= 10000 THEN 10000
            WHEN f.latency_ms <= 30000 THEN 30000
            WHEN f.latency_ms <= 60000 THEN 60000
            WHEN f.latency_ms <= 120000 THEN 120000
            WHEN f.latency_ms <= 300000 THEN 300000
        END AS le_ms,
        count(*)
    FROM temp.rollup_fill f
    JOIN request_counters c ON c.model = f.model AND c.provider IS f.provider AND c.policy IS f.policy
    WHERE le_ms IS NOT NULL
    GROUP BY 1, 2;

DROP TABLE temp.rollup_fill;

INSERT INTO projections (name, version) VALUES ('rollups', 1), ('counters', 1);
