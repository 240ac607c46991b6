-- The roll-ups also count what their other sums leave out: failures among the requests without a known cost, requests
-- whose tokens are unknown, and streams without an end. Filled below from the rows that the roll-ups have.

ALTER TABLE rollups ADD COLUMN unpriced_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN unknown_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN unknown_output_tokens INTEGER NOT NULL DEFAULT 0;
-- Streams that nothing has completed, that didn't fail, and that weren't logged with tokens or a duration.
ALTER TABLE rollups ADD COLUMN unended_streams INTEGER NOT NULL DEFAULT 0;

ALTER TABLE rollup_totals ADD COLUMN unpriced_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN unknown_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN unknown_output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN unended_streams INTEGER NOT NULL DEFAULT 0;

-- Finds streams without an end, of which there are few at a time, without reading the rows around them.
CREATE INDEX idx_requests_unended ON requests(timestamp) WHERE streaming <> 0 AND success <> 0
    AND completed_segment_id IS NULL AND input_tokens IS NULL AND output_tokens IS NULL AND stream_duration_ms IS NULL;

-- The labels of each dimension in one form, which the labels of a row can be compared with.
CREATE TEMP TABLE unknown_dimensions AS
    SELECT id, model, provider, policy, (
        SELECT json_group_array(value) FROM (
            SELECT (SELECT value FROM json_each(d.labels) WHERE key = l.name AND type = 'text') AS value
            FROM rollup_labels l ORDER BY l.name
        )
    ) AS labels
    FROM rollup_dimensions d;
CREATE INDEX temp.unknown_dimensions_names ON unknown_dimensions(model, provider, policy, labels);

CREATE TEMP TABLE unknown_rows AS
    SELECT substr(timestamp, 1, 13) AS hour, model, provider, policy, labels AS row_labels,
        sum(success = 0 AND cost_sats IS NULL) AS unpriced_failures,
        sum(input_tokens IS NULL) AS unknown_input_tokens,
        sum(output_tokens IS NULL) AS unknown_output_tokens,
        sum(streaming <> 0 AND success <> 0 AND completed_segment_id IS NULL AND input_tokens IS NULL
            AND output_tokens IS NULL AND stream_duration_ms IS NULL) AS unended_streams
    FROM requests
    WHERE (input_tokens IS NULL OR output_tokens IS NULL OR cost_sats IS NULL)
        AND (segment_id IS NOT NULL OR id <= (SELECT last_id FROM rollup_unjournaled))
    GROUP BY 1, 2, 3, 4, 5;

CREATE TEMP TABLE unknown_sums (
    grain TEXT,
    period TEXT,
    dimension_id INTEGER,
    unpriced_failures INTEGER,
    unknown_input_tokens INTEGER,
    unknown_output_tokens INTEGER,
    unended_streams INTEGER,
    PRIMARY KEY (grain, period, dimension_id)
) WITHOUT ROWID;
INSERT INTO temp.unknown_sums
    SELECT grain, substr(hour, 1, length), d.id, sum(unpriced_failures), sum(unknown_input_tokens),
        sum(unknown_output_tokens), sum(unended_streams)
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
        FROM temp.unknown_rows
    ) r
    JOIN temp.unknown_dimensions d
        ON d.model = r.model AND d.provider IS r.provider AND d.policy IS r.policy AND d.labels = r.labels
    GROUP BY 1, 2, 3;

UPDATE rollups SET unpriced_failures = s.unpriced_failures, unknown_input_tokens = s.unknown_input_tokens,
        unknown_output_tokens = s.unknown_output_tokens, unended_streams = s.unended_streams
    FROM temp.unknown_sums s
    WHERE s.grain = rollups.grain AND s.period = rollups.period AND s.dimension_id = rollups.dimension_id;

-- The totals that each dimension is part of.
CREATE TEMP TABLE unknown_groups AS
    SELECT 'hour' AS grain, id AS dimension_id, '' AS grouped_by, '' AS group_name FROM rollup_dimensions
    UNION ALL SELECT 'day', id, '', '' FROM rollup_dimensions
    UNION ALL SELECT 'day', id, 'model', '=' || model FROM rollup_dimensions
    UNION ALL SELECT 'day', id, 'provider', coalesce('=' || provider, '') FROM rollup_dimensions
    UNION ALL SELECT 'day', id, 'policy', coalesce('=' || policy, '') FROM rollup_dimensions
    UNION ALL SELECT 'day', d.id, 'label:' || l.name,
        coalesce((SELECT '=' || value FROM json_each(d.labels) WHERE key = l.name), '')
        FROM rollup_dimensions d CROSS JOIN rollup_labels l;
CREATE INDEX temp.unknown_groups_dimension ON unknown_groups(dimension_id, grain);

CREATE TEMP TABLE unknown_totals (
    grain TEXT,
    grouped_by TEXT,
    period TEXT,
    group_name TEXT,
    unpriced_failures INTEGER,
    unknown_input_tokens INTEGER,
    unknown_output_tokens INTEGER,
    unended_streams INTEGER,
    PRIMARY KEY (grain, grouped_by, period, group_name)
) WITHOUT ROWID;
INSERT INTO temp.unknown_totals
    SELECT s.grain, g.grouped_by, s.period, g.group_name, sum(s.unpriced_failures), sum(s.unknown_input_tokens),
        sum(s.unknown_output_tokens), sum(s.unended_streams)
    FROM temp.unknown_sums s JOIN temp.unknown_groups g ON g.dimension_id = s.dimension_id AND g.grain = s.grain
    GROUP BY 1, 2, 3, 4;

UPDATE rollup_totals SET unpriced_failures = s.unpriced_failures, unknown_input_tokens = s.unknown_input_tokens,
        unknown_output_tokens = s.unknown_output_tokens, unended_streams = s.unended_streams
    FROM temp.unknown_totals s
    WHERE s.grain = rollup_totals.grain AND s.grouped_by = rollup_totals.grouped_by
        AND s.period = rollup_totals.period AND s.group_name = rollup_totals.group_name;

DROP TABLE temp.unknown_dimensions;
DROP TABLE temp.unknown_rows;
DROP TABLE temp.unknown_sums;
DROP TABLE temp.unknown_groups;
DROP TABLE temp.unknown_totals;
