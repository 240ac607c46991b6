-- Sums of the roll-ups of several dimensions, so that the statistics that are asked most read one row for each period, or
-- one for each name: of all dimensions by hour and day, and by day also of those that have something in common. Filled
-- below from the roll-ups that are there; from then on the projector commits them with those.

CREATE TABLE rollup_totals (
    grain TEXT NOT NULL CHECK (grain IN ('hour', 'day')),
    -- What its dimensions have in common: '' nothing, 'model', 'provider', 'policy', or 'label:' and a name of rollup_labels.
    -- By hour there is only ''.
    grouped_by TEXT NOT NULL,
    period TEXT NOT NULL,
    -- Of what they have in common '=' and the value; '' where they have none, and for nothing.
    group_name TEXT NOT NULL,
    -- These as in rollups.
    requests INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    streams INTEGER NOT NULL,
    failed_streams INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_sats INTEGER NOT NULL,
    cost_nanosats INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    PRIMARY KEY (grain, grouped_by, period, group_name)
) WITHOUT ROWID;

-- As rollup_latencies.
CREATE TABLE rollup_total_latencies (
    grain TEXT NOT NULL,
    grouped_by TEXT NOT NULL,
    period TEXT NOT NULL,
    group_name TEXT NOT NULL,
    buckets BLOB NOT NULL,
    PRIMARY KEY (grain, grouped_by, period, group_name)
) WITHOUT ROWID;

-- The totals that each dimension is part of.
CREATE TEMP TABLE rollup_groups AS
    SELECT 'hour' AS grain, id AS dimension_id, '' AS grouped_by, '' AS group_name FROM rollup_dimensions
    UNION ALL SELECT 'day', id, '', '' FROM rollup_dimensions
    UNION ALL SELECT 'day', id, 'model', '=' || model FROM rollup_dimensions
    UNION ALL SELECT 'day', id, 'provider', coalesce('=' || provider, '') FROM rollup_dimensions
    UNION ALL SELECT 'day', id, 'policy', coalesce('=' || policy, '') FROM rollup_dimensions
    UNION ALL SELECT 'day', d.id, 'label:' || l.name,
        coalesce((SELECT '=' || value FROM json_each(d.labels) WHERE key = l.name), '')
        FROM rollup_dimensions d CROSS JOIN rollup_labels l;

-- The great ones by halves: a sum beyond 64 bits is an error in SQLite, where one that is added to becomes a REAL.
INSERT INTO rollup_totals
    SELECT r.grain, g.grouped_by, r.period, g.group_name, sum(r.requests), sum(r.failures), sum(r.streams),
        sum(r.failed_streams), sum(r.unpriced),
        sum(r.input_tokens >> 32) * 4294967296 + sum(r.input_tokens & 4294967295),
        sum(r.output_tokens >> 32) * 4294967296 + sum(r.output_tokens & 4294967295),
        sum(r.cost_sats >> 32) * 4294967296 + sum(r.cost_sats & 4294967295),
        sum(r.cost_nanosats),
        sum(r.latency_ms >> 32) * 4294967296 + sum(r.latency_ms & 4294967295)
    FROM rollups r JOIN temp.rollup_groups g ON g.grain = r.grain AND g.dimension_id = r.dimension_id
    GROUP BY 1, 2, 3, 4;

-- Every bucket of every roll-up: its number and count as hexadecimal digits, of which a number is made digit by digit.
INSERT INTO rollup_total_latencies
    WITH RECURSIVE
    entries (grain, period, dimension_id, digits, rest) AS (
        SELECT grain, period, dimension_id, substr(hex(buckets), 1, 12), substr(hex(buckets), 13) FROM rollup_latencies
        UNION ALL SELECT grain, period, dimension_id, substr(rest, 1, 12), substr(rest, 13) FROM entries WHERE rest <> ''
    ),
    counts AS (
        SELECT grain, period, dimension_id, substr(digits, 1, 4) AS bucket,
            (instr('123456789ABCDEF', substr(digits, 5, 1)) << 28) + (instr('123456789ABCDEF', substr(digits, 6, 1)) << 24)
            + (instr('123456789ABCDEF', substr(digits, 7, 1)) << 20) + (instr('123456789ABCDEF', substr(digits, 8, 1)) << 16)
            + (instr('123456789ABCDEF', substr(digits, 9, 1)) << 12) + (instr('123456789ABCDEF', substr(digits, 10, 1)) << 8)
            + (instr('123456789ABCDEF', substr(digits, 11, 1)) << 4) + instr('123456789ABCDEF', substr(digits, 12, 1)) AS requests
        FROM entries
    )
    SELECT grain, grouped_by, period, group_name,
        unhex(group_concat(bucket || printf('%08X', requests), '' ORDER BY bucket))
    FROM (
        SELECT c.grain, g.grouped_by, c.period, g.group_name, c.bucket, sum(c.requests) AS requests
        FROM counts c JOIN temp.rollup_groups g ON g.grain = c.grain AND g.dimension_id = c.dimension_id
        GROUP BY 1, 2, 3, 4, 5
    )
    GROUP BY 1, 2, 3, 4;

DROP TABLE temp.rollup_groups;
