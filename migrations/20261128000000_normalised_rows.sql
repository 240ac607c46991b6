-- Rows from before the journal may hold values of other types than their columns have: text in the
-- place of a number, bytes in the place of a name. They become what the sums have counted them as,
-- so that no query has to expect anything else. Only rows with such a value are written.
UPDATE requests SET
    correlation_id = CAST(correlation_id AS TEXT),
    timestamp = CAST(timestamp AS TEXT),
    model = CAST(model AS TEXT),
    provider = CAST(provider AS TEXT),
    policy = CAST(policy AS TEXT),
    error_message = CAST(error_message AS TEXT),
    streaming = streaming <> 0,
    success = success <> 0,
    input_tokens = CAST(input_tokens AS INTEGER),
    output_tokens = CAST(output_tokens AS INTEGER),
    latency_ms = CAST(latency_ms AS INTEGER),
    stream_duration_ms = CAST(stream_duration_ms AS INTEGER),
    error_status = CAST(error_status AS INTEGER),
    attempt = CAST(attempt AS INTEGER),
    completed_segment_id = CAST(completed_segment_id AS INTEGER),
    completed_byte_offset = CAST(completed_byte_offset AS INTEGER),
    cost_sats = CAST(cost_sats AS REAL),
    provider_cost_sats = CAST(provider_cost_sats AS REAL),
    -- Of an object its texts; null for an object without any, and for everything else.
    labels = CASE WHEN json_valid(CAST(labels AS TEXT)) THEN
        CASE WHEN json_type(CAST(labels AS TEXT)) = 'object' THEN nullif(
            (SELECT json_group_object(key, value) FROM json_each(CAST(requests.labels AS TEXT)) WHERE type = 'text'), '{}')
        END END
    WHERE segment_id IS NULL AND (
        'blob' IN (typeof(correlation_id), typeof(timestamp), typeof(model), typeof(provider), typeof(policy),
            typeof(error_message))
        OR streaming NOT IN (0, 1) OR success NOT IN (0, 1)
        OR typeof(input_tokens) NOT IN ('integer', 'null') OR typeof(output_tokens) NOT IN ('integer', 'null')
        OR typeof(latency_ms) <> 'integer' OR typeof(stream_duration_ms) NOT IN ('integer', 'null')
        OR typeof(error_status) NOT IN ('integer', 'null') OR typeof(attempt) NOT IN ('integer', 'null')
        OR typeof(completed_segment_id) NOT IN ('integer', 'null')
        OR typeof(completed_byte_offset) NOT IN ('integer', 'null')
        OR typeof(cost_sats) NOT IN ('real', 'null') OR typeof(provider_cost_sats) NOT IN ('real', 'null')
        OR CASE
            WHEN labels IS NULL THEN FALSE
            WHEN typeof(labels) <> 'text' THEN TRUE
            WHEN NOT json_valid(labels) THEN TRUE
            WHEN json_type(labels) <> 'object' THEN TRUE
            ELSE EXISTS (SELECT 1 FROM json_each(requests.labels) WHERE type <> 'text')
        END);

-- The same names in the sums, which are found by their hashes.
UPDATE rollup_dimensions SET
    model = CAST(model AS TEXT), provider = CAST(provider AS TEXT), policy = CAST(policy AS TEXT),
    key = short_hash(CAST(model AS TEXT), CAST(provider AS TEXT), CAST(policy AS TEXT), labels)
    WHERE 'blob' IN (typeof(model), typeof(provider), typeof(policy));
UPDATE request_counters SET
    model = CAST(model AS TEXT), provider = CAST(provider AS TEXT), policy = CAST(policy AS TEXT),
    key = short_hash(CAST(model AS TEXT), CAST(provider AS TEXT), CAST(policy AS TEXT))
    WHERE 'blob' IN (typeof(model), typeof(provider), typeof(policy));
