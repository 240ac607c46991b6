-- What a request cost follows from its usage, the prices and the exchange rates, all of which are events. The new columns are
-- null in rows that are there, and a repricing that is pending from here on fills those that can be told. Nothing here reads
-- the rows: of a large log that would take minutes, in which nothing else is written.

-- The model that the provider says answered, and what it billed by.
ALTER TABLE requests ADD COLUMN response_model TEXT;
ALTER TABLE requests ADD COLUMN service_tier TEXT;
-- Parts of input_tokens; the ones of one hour are also a part of cache_creation_input_tokens.
ALTER TABLE requests ADD COLUMN cache_read_input_tokens INTEGER;
ALTER TABLE requests ADD COLUMN cache_creation_input_tokens INTEGER;
ALTER TABLE requests ADD COLUMN cache_creation_1h_input_tokens INTEGER;
ALTER TABLE requests ADD COLUMN audio_input_tokens INTEGER;
ALTER TABLE requests ADD COLUMN image_input_tokens INTEGER;
-- Parts of output_tokens.
ALTER TABLE requests ADD COLUMN reasoning_output_tokens INTEGER;
ALTER TABLE requests ADD COLUMN audio_output_tokens INTEGER;
-- cost_sats and cost_usd are the costs that count, wherever they are from.
ALTER TABLE requests ADD COLUMN cost_usd REAL;
ALTER TABLE requests ADD COLUMN provider_cost_usd REAL;
-- Where the costs are from: 'logged', 'provider' or 'price_book'; null: there is none.
ALTER TABLE requests ADD COLUMN cost_source TEXT;
-- The currency of the source's figure, 'sats' or 'usd', from which the other cost follows by the exchange rate. Null: both were
-- given, or there is no cost.
ALTER TABLE requests ADD COLUMN cost_currency TEXT;
-- The place of the price_set that the cost was computed with.
ALTER TABLE requests ADD COLUMN price_segment_id INTEGER;
ALTER TABLE requests ADD COLUMN price_byte_offset INTEGER;

ALTER TABLE held_completions ADD COLUMN response_model TEXT;
ALTER TABLE held_completions ADD COLUMN service_tier TEXT;
ALTER TABLE held_completions ADD COLUMN cache_read_input_tokens INTEGER;
ALTER TABLE held_completions ADD COLUMN cache_creation_input_tokens INTEGER;
ALTER TABLE held_completions ADD COLUMN cache_creation_1h_input_tokens INTEGER;
ALTER TABLE held_completions ADD COLUMN audio_input_tokens INTEGER;
ALTER TABLE held_completions ADD COLUMN image_input_tokens INTEGER;
ALTER TABLE held_completions ADD COLUMN reasoning_output_tokens INTEGER;
ALTER TABLE held_completions ADD COLUMN audio_output_tokens INTEGER;
ALTER TABLE held_completions ADD COLUMN cost_usd REAL;
ALTER TABLE held_completions ADD COLUMN provider_cost_usd REAL;

ALTER TABLE carried_completions ADD COLUMN response_model TEXT;
ALTER TABLE carried_completions ADD COLUMN service_tier TEXT;
ALTER TABLE carried_completions ADD COLUMN cache_read_input_tokens INTEGER;
ALTER TABLE carried_completions ADD COLUMN cache_creation_input_tokens INTEGER;
ALTER TABLE carried_completions ADD COLUMN cache_creation_1h_input_tokens INTEGER;
ALTER TABLE carried_completions ADD COLUMN audio_input_tokens INTEGER;
ALTER TABLE carried_completions ADD COLUMN image_input_tokens INTEGER;
ALTER TABLE carried_completions ADD COLUMN reasoning_output_tokens INTEGER;
ALTER TABLE carried_completions ADD COLUMN audio_output_tokens INTEGER;
ALTER TABLE carried_completions ADD COLUMN cost_usd REAL;
ALTER TABLE carried_completions ADD COLUMN provider_cost_usd REAL;

-- Every price_set, by its place. They stay when their segment is pruned: rows may depend on them.
CREATE TABLE prices (
    segment_id INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL,
    -- Null: any.
    provider TEXT,
    model TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    currency TEXT NOT NULL,
    -- Prices of a million tokens, as decimal texts. Null: such tokens cost what the whole costs that they are a part of.
    input TEXT,
    cache_read_input TEXT,
    cache_creation_input TEXT,
    cache_creation_1h_input TEXT,
    audio_input TEXT,
    image_input TEXT,
    output TEXT,
    reasoning_output TEXT,
    audio_output TEXT,
    -- A decimal text.
    per_request TEXT,
    -- Conditions; null: none.
    service_tier TEXT,
    min_input_tokens INTEGER,
    source TEXT,
    PRIMARY KEY (segment_id, byte_offset)
);

-- Every exchange_rate_observed, by its place.
CREATE TABLE exchange_rates (
    segment_id INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL,
    observed_at TEXT NOT NULL,
    -- A decimal text.
    usd_per_btc TEXT NOT NULL,
    source TEXT,
    PRIMARY KEY (segment_id, byte_offset)
);

-- The repricings that are pending, the first of which is at work.
CREATE TABLE repricing (
    id INTEGER PRIMARY KEY,
    -- Rows with a timestamp from the first one on and before the second one, in the order of SQLite's text.
    from_timestamp TEXT NOT NULL,
    until_timestamp TEXT NOT NULL,
    -- The last row that was repriced, in the order of (timestamp, id); where it begins before there is one.
    cursor_timestamp TEXT NOT NULL,
    cursor_id INTEGER NOT NULL,
    -- Rows with greater ids were priced when they came.
    through_id INTEGER NOT NULL,
    -- Whether the rows have never been priced: those that a database had before it knew prices.
    is_first BOOLEAN NOT NULL
);
-- All rows: those from before the journal may have any text as their timestamp, which is before the last character there is.
INSERT INTO repricing (id, from_timestamp, until_timestamp, cursor_timestamp, cursor_id, through_id, is_first)
    SELECT 1, '', char(1114111), '', -9007199254740991, last_id, TRUE
    FROM (SELECT max(id) AS last_id FROM requests) WHERE last_id IS NOT NULL;

-- As cost_sats and cost_nanosats. No row has a cost in dollars yet, and so every request is unpriced in that currency.
ALTER TABLE rollups ADD COLUMN cost_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN cost_nanousd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN unpriced_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN unpriced_usd_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN cache_read_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN cache_creation_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN reasoning_output_tokens INTEGER NOT NULL DEFAULT 0;
-- Attempts after the first one of their request. The repricing counts those of rows that are there.
ALTER TABLE rollups ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
-- Requests with more tokens in a part than in the whole.
ALTER TABLE rollups ADD COLUMN inconsistent INTEGER NOT NULL DEFAULT 0;
UPDATE rollups SET unpriced_usd = requests, unpriced_usd_failures = failures;

ALTER TABLE rollup_totals ADD COLUMN cost_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN cost_nanousd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN unpriced_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN unpriced_usd_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN cache_read_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN cache_creation_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN reasoning_output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_totals ADD COLUMN inconsistent INTEGER NOT NULL DEFAULT 0;
UPDATE rollup_totals SET unpriced_usd = requests, unpriced_usd_failures = failures;

ALTER TABLE request_counters ADD COLUMN cost_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN cost_nanousd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN unpriced_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN cache_read_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN cache_creation_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN reasoning_output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN corrected_cost_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN corrected_cost_nanousd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN corrected_unpriced_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN corrected_cache_read_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN corrected_cache_creation_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_counters ADD COLUMN corrected_reasoning_output_tokens INTEGER NOT NULL DEFAULT 0;
UPDATE request_counters SET unpriced_usd = requests;

-- Counts of lines.
ALTER TABLE journal_segments ADD COLUMN prices INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal_segments ADD COLUMN rates INTEGER NOT NULL DEFAULT 0;
