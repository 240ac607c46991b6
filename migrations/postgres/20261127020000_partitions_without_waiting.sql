-- Only who makes a partition keeps others out: before, each transaction of a projector made those of all other journals
-- wait for its end.
CREATE OR REPLACE FUNCTION make_requests_partition(instant TIMESTAMPTZ) RETURNS TEXT
    LANGUAGE plpgsql SECURITY DEFINER SET timezone TO 'UTC' SET search_path FROM CURRENT AS $$
DECLARE
    first_day TIMESTAMPTZ := date_trunc('month', instant);
    last_day TIMESTAMPTZ := date_trunc('month', instant) + INTERVAL '1 month';
    partition TEXT := 'requests_' || to_char(instant, 'YYYY_MM');
BEGIN
    IF extract(YEAR FROM instant) NOT BETWEEN 2020 AND 2099 THEN RETURN 'requests_other'; END IF;
    IF to_regclass(partition) IS NOT NULL THEN RETURN partition; END IF;
    PERFORM pg_advisory_xact_lock(hashtext('request-journal partitions'), hashtext(current_schema()));
    -- Somebody may have made it meanwhile, which to_regclass needn't notice: it remembers that it has found none.
    IF EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = partition) THEN
        RETURN partition;
    END IF;
    -- Rows of a month that stand among the others would have to be moved first: `request-journal migrate` does that.
    IF EXISTS (SELECT 1 FROM requests_other WHERE timestamp >= first_day AND timestamp < last_day) THEN
        RETURN 'requests_other';
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE requests INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    EXECUTE format('ALTER TABLE requests ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, first_day, last_day);
    RETURN partition;
END
$$;
