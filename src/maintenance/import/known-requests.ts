import type SQLite from 'better-sqlite3'
import type { RequestLogged } from '../../events/event-types.js'
import { type ImportOrigin, readManifest } from '../../journal/chain/manifest.js'
import { openSegment } from '../../journal/read/open-segment.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import { connect } from '../../store/sqlite/connection/driver.js'
import { COSTS } from './import-totals.js'
import { hasIdOfPlace, type ImportedLines } from './imported-lines.js'
import { recordedParts } from './recorded-imports.js'

/** Whether a request was found in the journal, or earlier in the file. */
type KnownAs = 'already_there' | 'repeated'

/** A request that was found before. */
export interface Known {
  as: KnownAs
  /** Whether it has another cost than it had there. */
  hasOtherCost: boolean
}

/**
 * Finds out which requests the file has twice, and which are in the journal from other imports:
 * those that have the same id, attempt, time, model, latency and tokens. Requests without an id are
 * never the same within one file. A request without an id is known if another import has added one
 * without an id, with the same provider and labels in place of the id. Each of those matches only
 * one request, so two that look alike stay two, whichever file contains them again.
 *
 * An imported segment is read when the first request from its time span is added. What is known is
 * kept in a temporary database, since there may be more of it than memory.
 */
export class KnownRequests {
  readonly #directory: string
  /** An empty name is a database in a temporary file, which is removed when it is closed. */
  readonly #database = connect('', {})
  readonly #statements = prepare(this.#database)
  /** The imported segments that haven't been read yet. */
  #unread: { segment: Segment; origin: ImportOrigin }[]

  /** @param directory the journal's; it needn't exist. */
  constructor(directory: string) {
    this.#directory = directory
    const segments = new Map(listSegments(directory).map((segment) => [segment.name, segment]))
    this.#unread = recordedParts(readManifest(directory)).flatMap(({ segment: name, origin }) => {
      const segment = segments.get(name)
      return segment === undefined ? [] : [{ segment, origin }]
    })
  }

  /**
   * Adds a request of the file, unless it is known.
   *
   * @returns what is known of it; null if it is new.
   * @throws JournalError SEGMENT_UNREADABLE
   */
  async add({ request, hasOwnId }: ImportedLines): Promise<Known | null> {
    const { timestamp } = request
    const due = this.#unread.filter(({ origin }) => origin.first <= timestamp && timestamp <= origin.last)
    if (due.length > 0) this.#unread = this.#unread.filter((part) => !due.includes(part))
    for (const { segment } of due) await this.#read(segment)
    const { insert, select, takeWithoutId } = this.#statements
    if (!hasOwnId) {
      const isThere = takeWithoutId.run(keyWithoutId(request)).changes > 0
      return isThere ? { as: 'already_there', hasOtherCost: false } : null
    }
    const key = keyOf(request)
    const costs = costsOf(request)
    if (insert.run(key, 'repeated', costs).changes > 0) return null
    const known = select.get(key)
    return known === undefined ? null : { as: known.origin, hasOtherCost: known.costs !== costs }
  }

  /** Adds the id of a request of the file. @returns whether another one of the file has it too. */
  addId({ correlation_id, attempt }: RequestLogged): boolean {
    return this.#statements.insertId.run(JSON.stringify([correlation_id, attempt ?? null])).changes === 0
  }

  close(): void {
    this.#database.close()
  }

  async #read(segment: Segment): Promise<void> {
    const source = openSegment(this.#directory, segment)
    try {
      for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
        for (const { bytes } of chunk.lines) {
          if (bytes === null || bytes.length === 0) continue
          // The lines of an import are parsed without checks: a damaged archive couldn't be read at
          // all.
          const event = JSON.parse(bytes.toString()) as RequestLogged
          if (event.type !== 'request_logged') continue
          this.#statements.insert.run(keyOf(event), 'already_there', costsOf(event))
          if (hasIdOfPlace(event)) this.#statements.insertWithoutId.run(keyWithoutId(event))
        }
      }
    } finally {
      source.close()
    }
  }
}

function prepare(database: SQLite.Database) {
  database.pragma('journal_mode = OFF')
  database.exec(
    `CREATE TABLE known (request TEXT PRIMARY KEY, origin TEXT, costs TEXT) WITHOUT ROWID;
     CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID;
     CREATE TABLE without_id (request TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID; BEGIN`,
  )
  return {
    insert: database.prepare<[string, KnownAs, string]>('INSERT OR IGNORE INTO known VALUES (?, ?, ?)'),
    select: database.prepare<[string], { origin: KnownAs; costs: string }>(
      'SELECT origin, costs FROM known WHERE request = ?',
    ),
    insertId: database.prepare<[string]>('INSERT OR IGNORE INTO ids VALUES (?)'),
    insertWithoutId: database.prepare<[string]>(
      'INSERT INTO without_id VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1',
    ),
    takeWithoutId: database.prepare<[string]>(
      'UPDATE without_id SET count = count - 1 WHERE request = ? AND count > 0',
    ),
  }
}

function costsOf(request: RequestLogged): string {
  return COSTS.map((name) => request[name] ?? '').join(' ')
}

function keyWithoutId(request: RequestLogged): string {
  const labels = Object.entries(request.labels ?? {}).sort()
  return keyOf({ ...request, correlation_id: JSON.stringify([request.provider ?? null, labels]) })
}

/**
 * It begins with the time, so that rows in the order of time are inserted in the order of their
 * keys.
 */
function keyOf(request: RequestLogged): string {
  const { timestamp, correlation_id, attempt, model, latency_ms, input_tokens, output_tokens } = request
  return JSON.stringify([
    timestamp,
    correlation_id,
    attempt ?? null,
    model,
    latency_ms,
    input_tokens ?? null,
    output_tokens ?? null,
  ])
}
