import { MAX_COST } from '../../folds/sums/sum-limits.js'
import { PARTS_OF_TOKENS } from '../../folds/sums/token-parts.js'

/** SQL for the whole units of a column's cost; 0 for null. It computes them as `splitCost` does. */
export function wholeCostSql(column: string): string {
  return `CAST(${limitedSql(column)} AS INTEGER)`
}

/** SQL for the billionths of a column's cost; 0 for null. It computes them as `splitCost` does. */
export function costBillionthsSql(column: string): string {
  const cost = limitedSql(column)
  return `CAST(round((${cost} - CAST(${cost} AS INTEGER)) * 1e9) AS INTEGER)`
}

function limitedSql(column: string): string {
  const limit = MAX_COST.toFixed(1)
  return `max(-${limit}, min(${limit}, coalesce(${column}, 0) * 1.0))`
}

/**
 * SQL for a column's number as it counts in sums; 0 for null. It computes it as `wholeNumber` does.
 */
export function wholeNumberSql(column: string, limit: number): string {
  return `max(-${limit}, min(${limit}, coalesce(CAST(${column} AS INTEGER), 0)))`
}

/** SQL for `isInconsistent`; null counts as false. */
export const INCONSISTENT_SQL = PARTS_OF_TOKENS.map(
  ([part, ...wholes]) => `coalesce(${part} > coalesce(${[...wholes, 'NULL'].join(', ')}), FALSE)`,
).join(' OR ')

/**
 * SQL for `isUnended`, written exactly as in the partial index, or SQLite wouldn't use the index.
 */
export const UNENDED_SQL = `streaming <> 0 AND success <> 0 AND completed_segment_id IS NULL AND input_tokens IS NULL
  AND output_tokens IS NULL AND stream_duration_ms IS NULL`
