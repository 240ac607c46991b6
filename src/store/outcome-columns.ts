// The columns of a request's outcome, which is what a completion overwrites, in either store.

/** The outcome columns that are written for every row. The others are in `DETAIL_COLUMNS`. */
export const USUAL_OUTCOME_COLUMNS = [
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'provider_cost_sats',
  'stream_duration_ms',
  'success',
  'error_status',
  'error_message',
] as const

/**
 * Strings and whole numbers that most events leave out. They are read as one JSON array, because
 * each column of a row takes 40 ns to become a property. Costs aren't among them, because SQLite's
 * JSON functions would round fractions.
 */
export const PACKED_COLUMNS = [
  'response_model',
  'service_tier',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
] as const

/** The outcome columns that are null in most rows, since most events leave them out. */
export const DETAIL_COLUMNS = [...PACKED_COLUMNS, 'cost_usd', 'provider_cost_usd'] as const

/** The columns of a request that a completion overwrites, even with nulls. */
export const OUTCOME_COLUMNS = [...USUAL_OUTCOME_COLUMNS, ...DETAIL_COLUMNS] as const

/** The columns of a completion, without those of its place. */
export const COMPLETION_VALUES = ['correlation_id', 'attempt', ...OUTCOME_COLUMNS] as const

/** The columns of a table that keeps completions: a completion's place, then its values. */
export const COMPLETION_COLUMNS = ['segment_id', 'byte_offset', ...COMPLETION_VALUES] as const

/**
 * The SQL of the values of `COMPLETION_VALUES` that a row of `requests` got from its completion. A
 * row's costs may come from elsewhere, so they are taken only where they were logged: this is
 * `loggedFigures` in SQL.
 */
export const LOGGED_COLUMNS = COMPLETION_VALUES.map((column) => {
  if (column !== 'cost_sats' && column !== 'cost_usd') return column
  const other = column === 'cost_sats' ? 'usd' : 'sats'
  const isLogged = `cost_source IS NULL OR (cost_source = 'logged' AND cost_currency IS DISTINCT FROM '${other}')`
  return `CASE WHEN ${isLogged} THEN ${column} END`
}).join(', ')
