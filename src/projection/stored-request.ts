import type { Database } from '../storage/database.js'
import { STORED_COLUMNS, type StoredRequest } from '../storage/projection-tables.js'
import type { CountedRequest, RollupChanges } from './rollups.js'

const PAGE_ROWS = 1000

/**
 * A row as the roll-ups count it. What other programs wrote into a column may be anything: it counts as SQLite's CAST
 * takes it, as in the migration that filled the roll-ups.
 */
export function countedRequest(row: StoredRequest): CountedRequest {
  const labels = parseLabels(row.labels)
  return {
    timestamp: String(row.timestamp),
    model: String(row.model),
    provider: row.provider,
    policy: row.policy,
    streaming: row.streaming !== 0,
    success: row.success !== 0,
    input_tokens: wholeNumber(row.input_tokens),
    output_tokens: wholeNumber(row.output_tokens),
    cost_sats: row.cost_sats === null ? null : asNumber(row.cost_sats),
    latency_ms: wholeNumber(row.latency_ms) ?? 0,
    ...(labels === undefined ? {} : { labels }),
  }
}

/** Counts the requests that other programs have added since the last time, in the caller's transaction. */
export class UnjournaledRequests {
  readonly #statements: ReturnType<typeof prepareStatements>

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
  }

  count(changes: RollupChanges): void {
    const { counted, next, setCounted } = this.#statements
    const before = counted.get()?.last_id ?? 0
    let last = before
    for (;;) {
      const rows = next.all(last)
      for (const row of rows) changes.add(countedRequest(row), true)
      last = rows.at(-1)?.id ?? last
      if (rows.length < PAGE_ROWS) break
    }
    if (last !== before) setCounted.run(last)
  }

  /** After the roll-ups were emptied; the counters have these requests. */
  countAgain(changes: RollupChanges): void {
    const { counted, upTo } = this.#statements
    const through = counted.get()?.last_id ?? 0
    let last = Number.MIN_SAFE_INTEGER
    for (;;) {
      const rows = upTo.all(last, through)
      for (const row of rows) changes.add(countedRequest(row), false)
      last = rows.at(-1)?.id ?? last
      if (rows.length < PAGE_ROWS) break
    }
  }
}

function prepareStatements(database: Database) {
  const rows = `SELECT ${STORED_COLUMNS} FROM requests WHERE segment_id IS NULL`
  return {
    counted: database.prepare<[], { last_id: number }>('SELECT last_id FROM rollup_unjournaled'),
    setCounted: database.prepare('UPDATE rollup_unjournaled SET last_id = ?'),
    next: database.prepare<[number], StoredRequest>(`${rows} AND id > ? ORDER BY id LIMIT ${PAGE_ROWS}`),
    upTo: database.prepare<[number, number], StoredRequest>(
      `${rows} AND id > ? AND id <= ? ORDER BY id LIMIT ${PAGE_ROWS}`,
    ),
  }
}

/** Only labels whose value is a text can be a dimension. */
function parseLabels(json: string | null): Record<string, string> | undefined {
  if (json === null) return undefined
  try {
    const labels: unknown = JSON.parse(json)
    if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return undefined
    return Object.fromEntries(Object.entries(labels).filter(([, value]) => typeof value === 'string'))
  } catch {
    // Another program's text: a request without labels, as in the migration.
    return undefined
  }
}

function wholeNumber(value: unknown): number | null {
  return value === null ? null : Math.trunc(asNumber(value))
}

function asNumber(value: unknown): number {
  const number = typeof value === 'number' ? value : Number.parseFloat(String(value))
  return Number.isFinite(number) ? number : 0
}
