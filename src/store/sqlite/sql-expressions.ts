import { MAX_COST_SATS } from '../../folds/sum-limits.js'

/** SQL for the whole satoshis of a column; 0 for null. The same arithmetic as `costParts`. */
export function costSatsSql(column: string): string {
  return `CAST(${limitedSql(column)} AS INTEGER)`
}

/** SQL for the billionths of a column; 0 for null. The same arithmetic as `costParts`. */
export function costNanosatsSql(column: string): string {
  const cost = limitedSql(column)
  return `CAST(round((${cost} - CAST(${cost} AS INTEGER)) * 1e9) AS INTEGER)`
}

function limitedSql(column: string): string {
  const limit = MAX_COST_SATS.toFixed(1)
  return `max(-${limit}, min(${limit}, coalesce(${column}, 0) * 1.0))`
}

/** SQL for a column's number as it counts in sums; 0 for null. The same as `wholeNumber`. */
export function wholeNumberSql(column: string, limit: number): string {
  return `max(-${limit}, min(${limit}, coalesce(CAST(${column} AS INTEGER), 0)))`
}

/**
 * SQL for `isUnended`, term by term as the partial index has it: otherwise SQLite doesn't use the
 * index.
 */
export const UNENDED_SQL = `streaming <> 0 AND success <> 0 AND completed_segment_id IS NULL AND input_tokens IS NULL
  AND output_tokens IS NULL AND stream_duration_ms IS NULL`
