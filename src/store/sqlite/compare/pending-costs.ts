import type { Database } from '../connection/database.js'

/** The columns of `requests`, and of the sums over them, that a repricing changes. */
const OF_REQUESTS = [
  'cost_sats',
  'cost_usd',
  'cost_source',
  'cost_currency',
  'price_segment_id',
  'price_byte_offset',
]
const OF_SUMS = [
  'cost_sats',
  'cost_nanosats',
  'unpriced',
  'unpriced_failures',
  'cost_usd',
  'cost_nanousd',
  'unpriced_usd',
  'unpriced_usd_failures',
  // The first repricing of an older database counts them.
  'retries',
]

/** Columns that can't be compared now, because rows wait to be repriced. */
export interface PendingCosts {
  ofRequests: readonly string[]
  ofSums: readonly string[]
}

/** Returns the columns of `main` that can't be compared; none unless rows wait to be repriced. */
export function pendingCosts(database: Database): PendingCosts {
  const isPending = database.prepare('SELECT 1 FROM main.repricing LIMIT 1').get() !== undefined
  if (!isPending) return { ofRequests: [], ofSums: [] }
  return { ofRequests: OF_REQUESTS, ofSums: [...OF_SUMS, ...OF_SUMS.map((name) => `corrected_${name}`)] }
}
