import type { KnownRequest } from '../../folds/changes.js'
import type { CostSource, Currency } from '../../folds/costs/row-cost.js'
import type { StoredRequest } from '../../folds/stored-request.js'

/** A row of `STORED_COLUMNS`. */
interface StoredColumns {
  id: number
  attempt: number | null
  timestamp: string
  model: string
  response_model: string | null
  provider: string | null
  policy: string | null
  service_tier: string | null
  streaming: boolean
  input_tokens: number | null
  output_tokens: number | null
  cache_read_input_tokens: number | null
  cache_creation_input_tokens: number | null
  cache_creation_1h_input_tokens: number | null
  audio_input_tokens: number | null
  image_input_tokens: number | null
  reasoning_output_tokens: number | null
  audio_output_tokens: number | null
  cost_sats: number | null
  cost_usd: number | null
  provider_cost_sats: number | null
  provider_cost_usd: number | null
  cost_source: CostSource | null
  cost_currency: Currency | null
  latency_ms: number
  success: boolean
  stream_duration_ms: number | null
  completed_segment_id: number | null
  completed_byte_offset: number | null
  labels: string | null
  segment_id: number
  byte_offset: number
  price_segment_id: number | null
  price_byte_offset: number | null
}

const COLUMNS = [
  'id',
  'attempt',
  'timestamp',
  'model',
  'response_model',
  'provider',
  'policy',
  'service_tier',
  'streaming',
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'cost_sats',
  'cost_usd',
  'provider_cost_sats',
  'provider_cost_usd',
  'cost_source',
  'cost_currency',
  'latency_ms',
  'success',
  'stream_duration_ms',
  'completed_segment_id',
  'completed_byte_offset',
  'labels',
  'segment_id',
  'byte_offset',
  'price_segment_id',
  'price_byte_offset',
] as const satisfies readonly (keyof StoredColumns)[]

/** The select list that gives rows for `storedRequestOf`. */
export const STORED_COLUMNS = COLUMNS.join(', ')

export type StoredRow = ValuesOf<typeof COLUMNS>
type ValuesOf<Names extends readonly (keyof StoredColumns)[]> = {
  -readonly [Index in keyof Names]: StoredColumns[Names[Index]]
}

/** Converts a row for the folds. */
export function storedRequestOf(row: StoredRow): StoredRequest {
  const columns = Object.fromEntries(
    COLUMNS.map((name, index) => [name, row[index]]),
  ) as unknown as StoredColumns
  const {
    labels,
    segment_id,
    byte_offset,
    completed_segment_id,
    completed_byte_offset,
    price_segment_id,
    price_byte_offset,
    ...values
  } = columns
  return {
    ...values,
    ...(labels === null ? {} : { labels: JSON.parse(labels) }),
    isCompleted: completed_segment_id !== null,
    place: { segmentId: segment_id, byteOffset: byte_offset },
    isInSums: true,
    completedBy: placeOf(completed_segment_id, completed_byte_offset),
    price: placeOf(price_segment_id, price_byte_offset),
  }
}

function placeOf(segmentId: number | null, byteOffset: number | null): StoredRequest['completedBy'] {
  return segmentId === null || byteOffset === null ? null : { segmentId, byteOffset }
}

/**
 * A row, with the correlation_id by which it was looked up, and how many newer rows have that id.
 */
export type CandidateRow = [correlationId: string, newer: number, ...row: StoredRow]

/**
 * Groups rows by correlation_id for `Known.requests`. Each of these ids gets a list, even if no row
 * has it.
 */
export function candidatesOf(
  ids: Iterable<string>,
  rows: readonly CandidateRow[],
): Map<string, KnownRequest[]> {
  const requests = new Map<string, KnownRequest[]>([...ids].map((id) => [id, []]))
  for (const [correlationId, newer, ...row] of rows) {
    requests.get(correlationId)?.push({ request: storedRequestOf(row), newer })
  }
  return requests
}
