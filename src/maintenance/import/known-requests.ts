import type SQLite from 'better-sqlite3'
import type { RequestLogged } from '../../events/event-types.js'
import { readManifest } from '../../journal/chain/manifest.js'
import { openSegment } from '../../journal/read/open-segment.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import { connect } from '../../store/sqlite/connection/driver.js'
import { COSTS } from './import-totals.js'
import { hasIdOfPlace, type ImportedLines } from './imported-lines.js'
import { recordedParts } from './recorded-imports.js'

/** Where a request was found before. */
type KnownFrom = 'journal' | 'file'

/** A request that was found before. */
export interface Known {
  from: KnownFrom
  /** Whether it has another cost than it had there. */
  hasOtherCost: boolean
}

interface Part {
  segment: Segment
  first: string
  last: string
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
  readonly #database: SQLite.Database
  readonly #insert: SQLite.Statement<[string, KnownFrom, string]>
  readonly #select: SQLite.Statement<[string], { origin: KnownFrom; costs: string }>
  readonly #insertId: SQLite.Statement<[string]>
  readonly #insertWithoutId: SQLite.Statement<[string]>
  readonly #takeWithoutId: SQLite.Statement<[string]>
  /** The imported segments that haven't been read yet. */
  #unread: Part[]

  /** @param directory the journal's; it needn't exist. */
  constructor(directory: string) {
    this.#directory = directory
    const segments = new Map(listSegments(directory).map((segment) => [segment.name, segment]))
    this.#unread = recordedParts(readManifest(directory)).flatMap(({ segment: name, origin }) => {
      const segment = segments.get(name)
      return segment === undefined ? [] : [{ segment, first: origin.first, last: origin.last }]
    })
    // An empty name is a database in a temporary file, which is removed when it is closed.
    this.#database = connect('', {})
    this.#database.pragma('journal_mode = OFF')
    this.#database.exec(
      `CREATE TABLE known (request TEXT PRIMARY KEY, origin TEXT, costs TEXT) WITHOUT ROWID;
       CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID;
       CREATE TABLE without_id (request TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID; BEGIN`,
    )
    this.#insert = this.#database.prepare('INSERT OR IGNORE INTO known VALUES (?, ?, ?)')
    this.#select = this.#database.prepare('SELECT origin, costs FROM known WHERE request = ?')
    this.#insertId = this.#database.prepare('INSERT OR IGNORE INTO ids VALUES (?)')
    this.#insertWithoutId = this.#database.prepare(
      'INSERT INTO without_id VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1',
    )
    this.#takeWithoutId = this.#database.prepare(
      'UPDATE without_id SET count = count - 1 WHERE request = ? AND count > 0',
    )
  }

  /**
   * Adds a request of the file, unless it is known.
   *
   * @returns what is known of it; null if it is new.
   * @throws JournalError SEGMENT_UNREADABLE
   */
  async add({ request, hasOwnId }: ImportedLines): Promise<Known | null> {
    const { timestamp } = request
    if (this.#unread.some((part) => isWithin(part, timestamp))) {
      const due = this.#unread.filter((part) => isWithin(part, timestamp))
      this.#unread = this.#unread.filter((part) => !due.includes(part))
      for (const { segment } of due) await this.#read(segment)
    }
    if (!hasOwnId) {
      const isThere = this.#takeWithoutId.run(keyWithoutId(request)).changes > 0
      return isThere ? { from: 'journal', hasOtherCost: false } : null
    }
    const key = keyOf(request)
    const costs = costsOf(request)
    if (this.#insert.run(key, 'file', costs).changes > 0) return null
    const known = this.#select.get(key)
    return known === undefined ? null : { from: known.origin, hasOtherCost: known.costs !== costs }
  }

  /** Adds the id of a request of the file. @returns whether another one of the file has it too. */
  addId({ correlation_id, attempt }: RequestLogged): boolean {
    return this.#insertId.run(JSON.stringify([correlation_id, attempt ?? null])).changes === 0
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
          this.#insert.run(keyOf(event), 'journal', costsOf(event))
          if (hasIdOfPlace(event)) this.#insertWithoutId.run(keyWithoutId(event))
        }
      }
    } finally {
      source.close()
    }
  }
}

function isWithin({ first, last }: Part, timestamp: string): boolean {
  return first <= timestamp && timestamp <= last
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
