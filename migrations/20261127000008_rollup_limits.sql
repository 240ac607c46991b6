-- A request counts for at most 10^12 tokens of a kind, 10^12 satoshis and 2^32 - 1 milliseconds in a sum, which fits so many
-- requests that no sum is too great to be stored. The sums of days that have requests with more are made again from the rows.

CREATE TEMP TABLE limit_days AS
    SELECT DISTINCT substr(timestamp, 1, 10) AS day FROM requests
    WHERE abs(coalesce(CAST(input_tokens AS REAL), 0)) > 1e12 OR abs(coalesce(CAST(output_tokens AS REAL), 0)) > 1e12
        OR abs(coalesce(cost_sats, 0) * 1.0) > 1e12 OR abs(CAST(latency_ms AS REAL)) > 4294967295;

-- The labels of each dimension in one form, which the labels of a row can be compared with.
CREATE TEMP TABLE limit_dimensions AS
    SELECT id, model, provider, policy, d.labels AS own_labels, (
        SELECT json_group_array(value) FROM (
            SELECT (SELECT value FROM json_each(d.labels) WHERE key = l.name AND type = 'text') AS value
            FROM rollup_labels l ORDER BY l.name
        )
    ) AS labels
    FROM rollup_dimensions d
    WHERE EXISTS (SELECT 1 FROM temp.limit_days);
CREATE INDEX temp.limit_dimensions_names ON limit_dimensions(model, provider, policy, labels);

CREATE TEMP TABLE limit_rows AS
    SELECT hour, model, provider, policy, row_labels, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
        sum(CAST(cost AS INTEGER)) AS cost_sats,
        sum(CAST(round((cost - CAST(cost AS INTEGER)) * 1e9) AS INTEGER)) AS cost_nanosats, sum(latency_ms) AS latency_ms
    FROM (
        SELECT substr(timestamp, 1, 13) AS hour, model, provider, policy, labels AS row_labels,
            max(-1000000000000, min(1000000000000, coalesce(CAST(input_tokens AS INTEGER), 0))) AS input_tokens,
            max(-1000000000000, min(1000000000000, coalesce(CAST(output_tokens AS INTEGER), 0))) AS output_tokens,
            max(-1e12, min(1e12, coalesce(cost_sats, 0) * 1.0)) AS cost,
            max(-4294967295, min(4294967295, CAST(latency_ms AS INTEGER))) AS latency_ms
        FROM requests
        WHERE substr(timestamp, 1, 10) IN (SELECT day FROM temp.limit_days)
            AND (segment_id IS NOT NULL OR id <= (SELECT last_id FROM rollup_unjournaled))
    )
    GROUP BY 1, 2, 3, 4, 5;

CREATE TEMP TABLE limit_sums (
    grain TEXT,
    period TEXT,
    dimension_id INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_sats INTEGER,
    cost_nanosats INTEGER,
    latency_ms INTEGER,
    PRIMARY KEY (grain, period, dimension_id)
) WITHOUT ROWID;
INSERT INTO temp.limit_sums
    SELECT grain, substr(hour, 1, length), d.id, sum(input_tokens), sum(output_tokens), sum(cost_sats), sum(cost_nanosats),
        sum(latency_ms)
    FROM (SELECT 'hour' AS grain, 13 AS length UNION ALL SELECT 'day', 10)
    CROSS JOIN (
        SELECT *, (
            SELECT json_group_array(value) FROM (
                SELECT (
                    SELECT value FROM json_each(CASE WHEN json_valid(row_labels) THEN row_labels ELSE '{}' END)
                    WHERE key = l.name AND type = 'text'
                ) AS value
                FROM rollup_labels l ORDER BY l.name
            )
        ) AS labels
        FROM temp.limit_rows
    ) r
    JOIN temp.limit_dimensions d
        ON d.model = r.model AND d.provider IS r.provider AND d.policy IS r.policy AND d.labels = r.labels
    GROUP BY 1, 2, 3;

UPDATE rollups SET input_tokens = s.input_tokens, output_tokens = s.output_tokens, cost_sats = s.cost_sats,
        cost_nanosats = s.cost_nanosats, latency_ms = s.latency_ms
    FROM temp.limit_sums s
    WHERE s.grain = rollups.grain AND s.period = rollups.period AND s.dimension_id = rollups.dimension_id;

-- The totals that each dimension is part of.
CREATE TEMP TABLE limit_groups AS
    SELECT 'hour' AS grain, id AS dimension_id, '' AS grouped_by, '' AS group_name FROM temp.limit_dimensions
    UNION ALL SELECT 'day', id, '', '' FROM temp.limit_dimensions
    UNION ALL SELECT 'day', id, 'model', '=' || model FROM temp.limit_dimensions
    UNION ALL SELECT 'day', id, 'provider', coalesce('=' || provider, '') FROM temp.limit_dimensions
    UNION ALL SELECT 'day', id, 'policy', coalesce('=' || policy, '') FROM temp.limit_dimensions
    UNION ALL SELECT 'day', d.id, 'label:' || l.name,
        coalesce((SELECT '=' || value FROM json_each(d.own_labels) WHERE key = l.name), '')
        FROM temp.limit_dimensions d CROSS JOIN rollup_labels l;
CREATE INDEX temp.limit_groups_dimension ON limit_groups(dimension_id, grain);

CREATE TEMP TABLE limit_totals (
    grain TEXT,
    grouped_by TEXT,
    period TEXT,
    group_name TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_sats INTEGER,
    cost_nanosats INTEGER,
    latency_ms INTEGER,
    PRIMARY KEY (grain, grouped_by, period, group_name)
) WITHOUT ROWID;
INSERT INTO temp.limit_totals
    SELECT s.grain, g.grouped_by, s.period, g.group_name, sum(s.input_tokens), sum(s.output_tokens), sum(s.cost_sats),
        sum(s.cost_nanosats), sum(s.latency_ms)
    FROM temp.limit_sums s JOIN temp.limit_groups g ON g.dimension_id = s.dimension_id AND g.grain = s.grain
    GROUP BY 1, 2, 3, 4;

UPDATE rollup_totals SET input_tokens = s.input_tokens, output_tokens = s.output_tokens, cost_sats = s.cost_sats,
        cost_nanosats = s.cost_nanosats, latency_ms = s.latency_ms
    FROM temp.limit_totals s
    WHERE s.grain = rollup_totals.grain AND s.grouped_by = rollup_totals.grouped_by
        AND s.period = rollup_totals.period AND s.group_name = rollup_totals.group_name;

DROP TABLE temp.limit_days;
DROP TABLE temp.limit_dimensions;
DROP TABLE temp.limit_rows;
DROP TABLE temp.limit_sums;
DROP TABLE temp.limit_groups;
DROP TABLE temp.limit_totals;
