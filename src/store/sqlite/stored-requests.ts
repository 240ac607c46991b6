import type { CompletionKey, DeferredCompletion, KnownRequest } from '../../folds/changes.js'
import { MAX_SHARED_ROWS, requestOf } from '../../folds/completions.js'
import type { StoredRequest } from '../../folds/request-types.js'
import type { CostSource, Currency } from '../../folds/row-cost.js'
import { MAX_LATENCY_MS, MAX_TOKENS, wholeNumber } from '../../folds/sum-limits.js'
import type { Database } from './connection/database.js'

/** The columns of `requests` that the fold of a completion depends on. */
export interface RequestColumns {
  id: number
  attempt: number | null
  timestamp: string
  model: string
  provider: string | null
  policy: string | null
  streaming: number
  input_tokens: number | null
  output_tokens: number | null
  /** A JSON array of the columns in `DETAIL_COLUMNS`; null if all of them are null. */
  details: string | null
  cost_sats: number | null
  cost_usd: number | null
  provider_cost_sats: number | null
  provider_cost_usd: number | null
  cost_source: CostSource | null
  cost_currency: Currency | null
  latency_ms: number
  success: number
  stream_duration_ms: number | null
  completed_segment_id: number | null
  completed_byte_offset: number | null
  /** A JSON object. */
  labels: string | null
  /** Null: the row isn't from the journal. */
  segment_id: number | null
  byte_offset: number | null
}

/**
 * Columns that are null in most rows. They are read as one, because each column of a row takes 40
 * ns to become a property. JSON of SQLite would round fractions.
 */
const DETAIL_COLUMNS = [
  'response_model',
  'service_tier',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'price_segment_id',
  'price_byte_offset',
].join(', ')

export const STORED_COLUMNS = `id, attempt, timestamp, model, provider, policy, streaming, input_tokens, output_tokens,
  CASE WHEN coalesce(${DETAIL_COLUMNS}) IS NOT NULL THEN json_array(${DETAIL_COLUMNS}) END AS details,
  cost_sats, cost_usd, provider_cost_sats, provider_cost_usd, cost_source, cost_currency, latency_ms,
  success, stream_duration_ms, completed_segment_id, completed_byte_offset, labels, segment_id, byte_offset`

export type RawRow = [
  id: number,
  attempt: number | null,
  timestamp: string,
  model: string,
  provider: string | null,
  policy: string | null,
  streaming: number,
  input_tokens: number | null,
  output_tokens: number | null,
  details: string | null,
  cost_sats: number | null,
  cost_usd: number | null,
  provider_cost_sats: number | null,
  provider_cost_usd: number | null,
  cost_source: CostSource | null,
  cost_currency: Currency | null,
  latency_ms: number,
  success: number,
  stream_duration_ms: number | null,
  completed_segment_id: number | null,
  completed_byte_offset: number | null,
  labels: string | null,
  segment_id: number | null,
  byte_offset: number | null,
]

/** Reads a raw row of `STORED_COLUMNS`: SQLite's driver takes twice as long to name the columns. */
function columnsOf(row: RawRow): RequestColumns {
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
    latency_ms,
    success,
    stream_duration_ms,
    completed_segment_id,
    completed_byte_offset,
    labels,
    segment_id,
    byte_offset,
  ] = row
  return {
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
    latency_ms,
    success,
    stream_duration_ms,
    completed_segment_id,
    completed_byte_offset,
    labels,
    segment_id,
    byte_offset,
  }
}

/** Reads requests that completions may change. */
export class StoredRequests {
  readonly #statements: ReturnType<typeof prepareStatements>
  readonly #read: (row: RawRow) => StoredRequest

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
    const through = countedThrough(database)
    this.#read = (row) => storedRequestOf(columnsOf(row), through)
  }

  /** Returns the requests of a correlation_id that completions may change, as `Known` has them. */
  candidates(correlationId: string, { count, attempts }: CompletionKey): KnownRequest[] {
    const { newestTwo, newestStates, byId } = this.#statements
    // Hardly any id is shared by several rows: mostly this one statement is enough.
    const two = newestTwo.all(correlationId, Number.MAX_SAFE_INTEGER)
    if (two.length < 2) return two.map((row) => ({ request: this.#read(row), newer: 0 }))
    const chosen: { id: number; newer: number }[] = []
    const named = new Set(attempts)
    let openWanted = named.delete(null) ? count + 1 : 0
    let newer = 0
    for (const [id, attempt, isOpen] of newestStates.iterate(correlationId)) {
      const isNamed = named.delete(attempt)
      const isWanted = isOpen === 1 && openWanted > 0
      if (isWanted) openWanted--
      if (newer === 0 || isNamed || isWanted) chosen.push({ id, newer })
      if (openWanted === 0 && named.size === 0) break
      newer++
    }
    return chosen.flatMap(({ id, newer }) => byId.all(id).map((row) => ({ request: this.#read(row), newer })))
  }

  /**
   * Finds what the fold must know of completions that were deferred, each with a correlation_id of
   * its own.
   */
  forDeferred(completions: readonly DeferredCompletion[]): {
    requests: Map<string, KnownRequest[]>
    later: Map<string, StoredRequest>
  } {
    const requests = new Map<string, KnownRequest[]>()
    const later = new Map<string, StoredRequest>()
    for (const { completion, beforeId } of completions) {
      const { correlation_id, attempt = null } = completion
      const candidates = this.#candidatesFor(correlation_id, attempt, beforeId)
      requests.set(correlation_id, candidates)
      if (requestOf(attempt, candidates) !== null) continue
      const row = this.#statements.firstAfter.get(correlation_id, beforeId, attempt, attempt)
      if (row !== undefined) later.set(correlation_id, this.#read(row))
    }
    return { requests, later }
  }

  /** Reads a row for the folds. */
  read(row: RawRow): StoredRequest {
    return this.#read(row)
  }

  /** @param beforeId the rows that existed when the completion came have lower ids than this. */
  #candidatesFor(correlationId: string, attempt: number | null, beforeId: number): KnownRequest[] {
    const { newestTwo, openTwo, withAttempt } = this.#statements
    let rows = newestTwo.all(correlationId, beforeId)
    if (rows.length === 2 && attempt !== null) rows = withAttempt.all(correlationId, beforeId, attempt)
    else if (rows.length === 2) {
      const open = openTwo.all(correlationId, beforeId)
      if (open.length > 0) rows = open
    }
    return rows.map((row, newer) => ({ request: this.#read(row), newer }))
  }
}

function prepareStatements(database: Database) {
  const prepare = <Values extends unknown[]>(sql: string) => database.prepare<Values, RawRow>(sql).raw()
  const newest = (limit: number) =>
    `SELECT ${STORED_COLUMNS} FROM requests WHERE correlation_id = ? AND id < ? ORDER BY id DESC LIMIT ${limit}`
  const inSight = newest(MAX_SHARED_ROWS)
  return {
    newestTwo: prepare<[string, number]>(newest(2)),
    openTwo: prepare<[string, number]>(
      `SELECT * FROM (${inSight}) WHERE streaming <> 0 AND completed_segment_id IS NULL
       ORDER BY id DESC LIMIT 2`,
    ),
    withAttempt: prepare<[string, number, number]>(
      `SELECT * FROM (${inSight}) WHERE attempt = ? ORDER BY id DESC LIMIT 1`,
    ),
    // Measured where 1,000 completed rows share an id: 0.9 ms, against 6 for whole rows.
    newestStates: database
      .prepare<[string], [id: number, attempt: number | null, isOpen: number]>(
        `SELECT id, attempt, streaming <> 0 AND completed_segment_id IS NULL FROM requests
         WHERE correlation_id = ? ORDER BY id DESC LIMIT ${MAX_SHARED_ROWS}`,
      )
      .raw(),
    byId: prepare<[number]>(`SELECT ${STORED_COLUMNS} FROM requests WHERE id = ?`),
    firstAfter: prepare<[string, number, number | null, number | null]>(
      `SELECT ${STORED_COLUMNS} FROM requests
       WHERE correlation_id = ? AND id >= ? AND segment_id IS NOT NULL AND (? IS NULL OR attempt = ?)
       ORDER BY id LIMIT 1`,
    ),
  }
}

/** The id of the last row from before the journal that the sums have. */
export function countedThrough(database: Database): number {
  const sql = 'SELECT last_id FROM rollup_unjournaled'
  return database.prepare<[], number>(sql).pluck().get() ?? 0
}

/**
 * Reads a row for the folds. A row that didn't come from the journal may hold anything: its values
 * count as SQLite's CAST reads them, as in the migration that filled the roll-ups.
 */
export function storedRequestOf(row: RequestColumns, through: number): StoredRequest {
  const { id, attempt, stream_duration_ms, segment_id, byte_offset } = row
  const isOurs = segment_id !== null && byte_offset !== null
  const { completed_segment_id, completed_byte_offset } = row
  const isCompleted = completed_segment_id !== null && completed_byte_offset !== null
  const labels = textsOf(row.labels)
  return {
    id,
    attempt,
    timestamp: isOurs ? row.timestamp : String(row.timestamp),
    model: isOurs ? row.model : String(row.model),
    provider: isOurs ? row.provider : textOrNull(row.provider),
    policy: isOurs ? row.policy : textOrNull(row.policy),
    streaming: row.streaming !== 0,
    success: row.success !== 0,
    input_tokens: isOurs ? row.input_tokens : wholeOrNull(row.input_tokens),
    output_tokens: isOurs ? row.output_tokens : wholeOrNull(row.output_tokens),
    ...detailsOf(row.details),
    cost_sats: isOurs || row.cost_sats === null ? row.cost_sats : numberOf(row.cost_sats),
    cost_usd: isOurs || row.cost_usd === null ? row.cost_usd : numberOf(row.cost_usd),
    provider_cost_sats: row.provider_cost_sats,
    provider_cost_usd: row.provider_cost_usd,
    cost_source: row.cost_source,
    cost_currency: row.cost_currency,
    latency_ms: isOurs ? row.latency_ms : wholeNumber(row.latency_ms, MAX_LATENCY_MS),
    stream_duration_ms,
    isCompleted: completed_segment_id !== null,
    ...(labels === undefined ? {} : { labels }),
    place: isOurs ? { segmentId: segment_id, byteOffset: byte_offset } : null,
    isCounted: isOurs || id <= through,
    completedBy: isCompleted ? { segmentId: completed_segment_id, byteOffset: completed_byte_offset } : null,
  }
}

type Details = Pick<
  StoredRequest,
  | 'response_model'
  | 'service_tier'
  | 'cache_read_input_tokens'
  | 'cache_creation_input_tokens'
  | 'cache_creation_1h_input_tokens'
  | 'audio_input_tokens'
  | 'image_input_tokens'
  | 'reasoning_output_tokens'
  | 'audio_output_tokens'
  | 'price'
>

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
    segmentId,
    byteOffset,
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
    price: segmentId === null || byteOffset === null ? null : { segmentId, byteOffset },
  }
}

const NO_DETAILS = parsedDetails(JSON.stringify(Array(11).fill(null)))

/** Reads the labels whose value is a text: only these can be a dimension. */
function textsOf(json: string | null): Record<string, string> | undefined {
  if (json === null) return undefined
  try {
    const labels: unknown = JSON.parse(json)
    if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return undefined
    const texts = Object.entries(labels).filter(([, value]) => typeof value === 'string')
    // SQLite returns lone surrogates as other characters.
    return Object.fromEntries(texts.map(([name, value]) => [name, value.toWellFormed()]))
  } catch {
    // Another program's text counts as no labels, as in the migration.
    return undefined
  }
}

/**
 * Reads a blob as a text: in JavaScript it would be another name than the text that it is in SQL.
 */
function textOrNull(value: unknown): string | null {
  return value === null ? null : String(value)
}

function wholeOrNull(value: unknown): number | null {
  return value === null ? null : wholeNumber(value, MAX_TOKENS)
}

/**
 * Reads a number as SQLite does. It takes the text 1e999 for infinite, which `costParts` limits,
 * but knows no infinity by name.
 */
function numberOf(value: unknown): number {
  if (typeof value === 'number') return value
  const text = String(value)
  return /^\s*[-+]?I/.test(text) ? 0 : Number.parseFloat(text) || 0
}

/** How many rows, and UTF-16 units of text, a page has at most: usual rows have far less text. */
const PAGE_ROWS = 1000
const MAX_PAGE_TEXT = 4 * 1024 * 1024

/** Reads, a page at a time, the requests from before the journal that are in the sums. */
export function* unjournaledRequests(database: Database): Generator<StoredRequest[]> {
  const through = countedThrough(database)
  const statement = database.prepare<[number, number], RequestColumns>(
    `SELECT ${STORED_COLUMNS} FROM requests WHERE segment_id IS NULL AND id > ? AND id <= ?
     ORDER BY id LIMIT ${PAGE_ROWS}`,
  )
  let last = Number.MIN_SAFE_INTEGER
  for (;;) {
    const rows = pageOf(statement.iterate(last, through))
    const lastRow = rows.at(-1)
    if (lastRow === undefined) return
    yield rows.map((row) => storedRequestOf(row, through))
    last = lastRow.id
  }
}

/**
 * Collects the rows of a statement until their text fills a page. A limit on rows alone wouldn't
 * do, because the labels of one row may take 1 MiB. The caller reads the rest with the next page.
 *
 * @returns at least one row, unless there is none.
 */
export function pageOf<Row extends object>(rows: Iterable<Row>): Row[] {
  const page: Row[] = []
  let text = 0
  for (const row of rows) {
    page.push(row)
    for (const value of Array.isArray(row) ? row : Object.values(row)) {
      if (typeof value === 'string') text += value.length
    }
    if (text >= MAX_PAGE_TEXT) break
  }
  return page
}
