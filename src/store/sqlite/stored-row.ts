// Reads rows of `requests` for the folds.
import type { Place } from '../../events/place.js'
import type { StoredRequest } from '../../folds/stored-request.js'
import { MAX_LATENCY_MS, MAX_TOKENS, wholeNumber } from '../../folds/sums/counted-values.js'
import { PACKED_COLUMNS } from '../outcome-columns.js'
import type { Database } from './connection/database.js'

/** The values that have a column each in `requests`, in the form in which the folds take them. */
type SameColumns = Omit<
  StoredRequest,
  | keyof Details
  | 'streaming'
  | 'success'
  | 'isCompleted'
  | 'isInSums'
  | 'labels'
  | 'place'
  | 'price'
  | 'completedBy'
>

/** The columns of `requests` that the fold of a completion depends on. */
export interface RequestColumns extends Required<SameColumns> {
  streaming: number
  success: number
  /** A JSON array of the columns in `PACKED_COLUMNS`; null if all of them are null. */
  details: string | null
  price_segment_id: number | null
  price_byte_offset: number | null
  completed_segment_id: number | null
  completed_byte_offset: number | null
  /** A JSON object. */
  labels: string | null
  /** Null: the row didn't come from the journal. */
  segment_id: number | null
  byte_offset: number | null
}

const PACKED = PACKED_COLUMNS.join(', ')

/** The names of the columns of `RequestColumns`. */
export const READ_COLUMNS = [
  'id',
  'attempt',
  'timestamp',
  'model',
  'provider',
  'policy',
  'streaming',
  'input_tokens',
  'output_tokens',
  'details',
  'cost_sats',
  'cost_usd',
  'provider_cost_sats',
  'provider_cost_usd',
  'cost_source',
  'cost_currency',
  'price_segment_id',
  'price_byte_offset',
  'latency_ms',
  'success',
  'stream_duration_ms',
  'completed_segment_id',
  'completed_byte_offset',
  'labels',
  'segment_id',
  'byte_offset',
] as const satisfies readonly (keyof RequestColumns)[]

/** The select list that gives rows of `RequestColumns`. */
export const STORED_COLUMNS = READ_COLUMNS.map((column) =>
  column === 'details'
    ? `CASE WHEN coalesce(${PACKED}) IS NOT NULL THEN json_array(${PACKED}) END AS details`
    : column,
).join(', ')

/**
 * A row of `STORED_COLUMNS`, as an array of values, since SQLite's driver takes twice as long to
 * name the columns.
 */
export type StoredRow = ValuesOf<typeof READ_COLUMNS>
type ValuesOf<Names extends readonly (keyof RequestColumns)[]> = {
  -readonly [Index in keyof Names]: RequestColumns[Names[Index]]
}

/**
 * Returns the highest id among the rows that existed before the journal and that the sums include.
 */
export function countedThrough(database: Database): number {
  const sql = 'SELECT last_id FROM rollup_unjournaled'
  return database.prepare<[], number>(sql).pluck().get() ?? 0
}

/**
 * Converts a row for the folds. A row that didn't come from the journal may hold anything. Its
 * values count as SQLite's CAST converts them, as in the migration that filled the roll-ups.
 *
 * @param through the id that `countedThrough` returns.
 */
export function storedRequestOf(row: StoredRow, through: number): StoredRequest {
  const [
    id,
    attempt,
    timestamp,
    model,
    provider,
    policy,
    streaming,
    input_tokens,
    output_tokens,
    details,
    cost_sats,
    cost_usd,
    provider_cost_sats,
    provider_cost_usd,
    cost_source,
    cost_currency,
    price_segment_id,
    price_byte_offset,
    latency_ms,
    success,
    stream_duration_ms,
    completed_segment_id,
    completed_byte_offset,
    labels,
    segment_id,
    byte_offset,
  ] = row
  const isOurs = segment_id !== null && byte_offset !== null
  const ofDetails = detailsOf(details)
  return {
    id,
    attempt,
    timestamp: isOurs ? timestamp : String(timestamp),
    model: isOurs ? model : String(model),
    provider: isOurs ? provider : textOrNull(provider),
    policy: isOurs ? policy : textOrNull(policy),
    streaming: streaming !== 0,
    success: success !== 0,
    input_tokens: isOurs ? input_tokens : wholeOrNull(input_tokens),
    output_tokens: isOurs ? output_tokens : wholeOrNull(output_tokens),
    response_model: ofDetails.response_model,
    service_tier: ofDetails.service_tier,
    cache_read_input_tokens: ofDetails.cache_read_input_tokens,
    cache_creation_input_tokens: ofDetails.cache_creation_input_tokens,
    cache_creation_1h_input_tokens: ofDetails.cache_creation_1h_input_tokens,
    audio_input_tokens: ofDetails.audio_input_tokens,
    image_input_tokens: ofDetails.image_input_tokens,
    reasoning_output_tokens: ofDetails.reasoning_output_tokens,
    audio_output_tokens: ofDetails.audio_output_tokens,
    cost_sats: isOurs || cost_sats === null ? cost_sats : numberOf(cost_sats),
    cost_usd: isOurs || cost_usd === null ? cost_usd : numberOf(cost_usd),
    provider_cost_sats,
    provider_cost_usd,
    cost_source,
    cost_currency,
    price: placeOrNull(price_segment_id, price_byte_offset),
    latency_ms: isOurs ? latency_ms : wholeNumber(latency_ms, MAX_LATENCY_MS),
    stream_duration_ms,
    isCompleted: completed_segment_id !== null,
    labels: textsOf(labels),
    place: isOurs ? { segmentId: segment_id, byteOffset: byte_offset } : null,
    isInSums: isOurs || id <= through,
    completedBy: placeOrNull(completed_segment_id, completed_byte_offset),
  }
}

export function placeOrNull(segmentId: number | null, byteOffset: number | null): Place | null {
  return segmentId === null || byteOffset === null ? null : { segmentId, byteOffset }
}

type Details = Required<Pick<StoredRequest, (typeof PACKED_COLUMNS)[number]>>

/** Reads `details`. */
export function detailsOf(json: string | null): Details {
  return json === null ? NO_DETAILS : parsedDetails(json)
}

function parsedDetails(json: string): Details {
  const [
    response_model,
    service_tier,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    cache_creation_1h_input_tokens,
    audio_input_tokens,
    image_input_tokens,
    reasoning_output_tokens,
    audio_output_tokens,
  ] = JSON.parse(json)
  return {
    response_model,
    service_tier,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    cache_creation_1h_input_tokens,
    audio_input_tokens,
    image_input_tokens,
    reasoning_output_tokens,
    audio_output_tokens,
  }
}

const NO_DETAILS = parsedDetails(JSON.stringify(PACKED_COLUMNS.map(() => null)))

/** Reads the labels whose value is a string, since only these can be part of a dimension. */
function textsOf(json: string | null): Readonly<Record<string, string>> {
  if (json === null) return NO_LABELS
  try {
    const labels: unknown = JSON.parse(json)
    if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return NO_LABELS
    if (Object.values(labels).every(isWellFormedText)) return labels as Record<string, string>
    const texts = Object.entries(labels).filter(([, value]) => typeof value === 'string')
    // SQLite returns lone surrogates as other characters.
    return Object.fromEntries(texts.map(([name, value]) => [name, value.toWellFormed()]))
  } catch {
    // Labels that aren't JSON, from another program, count as no labels, as in the migration.
    return NO_LABELS
  }
}

const NO_LABELS = Object.freeze({})

function isWellFormedText(value: unknown): boolean {
  return typeof value === 'string' && value.isWellFormed()
}

/** Converts a blob to a string, so that it is the same name here as in SQL. */
function textOrNull(value: unknown): string | null {
  return value === null ? null : String(value)
}

function wholeOrNull(value: unknown): number | null {
  return value === null ? null : wholeNumber(value, MAX_TOKENS)
}

/**
 * Converts a value to a number as SQLite does. SQLite reads the string '1e999' as infinite, which
 * `splitCost` then limits, but 'Infinity' as 0.
 */
function numberOf(value: unknown): number {
  if (typeof value === 'number') return value
  const text = String(value)
  return /^\s*[-+]?I/.test(text) ? 0 : Number.parseFloat(text) || 0
}
