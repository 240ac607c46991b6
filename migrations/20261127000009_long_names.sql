-- A page holds a thousand bytes of a key: each index over long names took a page for every name, and totals a page for every
-- name and day. Now names are found by a hash, short_hash(name, …), which the program that migrates provides: the first 16
-- bytes, in hexadecimal, of the SHA-256 of their JSON array.

ALTER TABLE rollup_dimensions ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE rollup_dimensions SET key = short_hash(model, provider, policy, labels);
DROP INDEX IF EXISTS idx_rollup_dimensions;
CREATE INDEX idx_rollup_dimensions_key ON rollup_dimensions(key);

ALTER TABLE request_counters ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE request_counters SET key = short_hash(model, provider, policy);
DROP INDEX IF EXISTS idx_request_counters;
CREATE INDEX idx_request_counters_key ON request_counters(key);

-- The names of more than 128 bytes that totals have. Their group_name is this key, '#' and the hash, instead of '=' and the name.
-- A rowid table: a row of one without would be a key, of which a page holds a thousand bytes.
CREATE TABLE rollup_names (
    key TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL
);

-- By bytes, because substr() of a text ends at a NUL. Two names that differ only in bytes that aren't UTF-8 have one hash: then
-- the second stays as it is.
CREATE TEMP TABLE long_groups AS
    SELECT group_name, '#' || short_hash(name) AS key, name FROM (
        SELECT group_name, CAST(substr(CAST(group_name AS BLOB), 2) AS TEXT) AS name FROM (
            SELECT DISTINCT group_name FROM rollup_totals WHERE octet_length(group_name) > 129
        )
    );
CREATE UNIQUE INDEX temp.long_groups_name ON long_groups(group_name);
INSERT OR IGNORE INTO rollup_names (key, name) SELECT key, name FROM temp.long_groups;
UPDATE OR IGNORE rollup_totals
    SET group_name = (SELECT key FROM temp.long_groups l WHERE l.group_name = rollup_totals.group_name)
    WHERE octet_length(group_name) > 129;
UPDATE OR IGNORE rollup_total_latencies
    SET group_name = (SELECT key FROM temp.long_groups l WHERE l.group_name = rollup_total_latencies.group_name)
    WHERE octet_length(group_name) > 129 AND group_name IN (SELECT group_name FROM temp.long_groups);
DROP TABLE temp.long_groups;
