import type { SegmentPosition } from '../positions.js'
import { type CompletionRow, placedCompletion } from './completion-rows.js'
import type { Database } from './connection/database.js'
import { DeferredCompletions } from './deferred-completions.js'
import { quoted } from './foreign-references.js'

/** An index or a trigger that was dropped. */
interface Dropped {
  type: 'index' | 'trigger'
  name: string
  sql: string
}

const IS_INDEX = "type = 'index' AND tbl_name = 'requests'"

/**
 * Changes the schema for a bulk transaction, which inserts so many requests that rebuilding an
 * index is cheaper than keeping it up to date. Completions need that index to find their row, so
 * they are deferred until it is back.
 */
export class BulkSchema {
  readonly #database: Database
  #dropped: Dropped[] = []
  /** The completions that wait until their requests can be looked up. */
  readonly deferred: DeferredCompletions

  constructor(database: Database) {
    this.#database = database
    this.deferred = new DeferredCompletions(database)
  }

  /**
   * Drops every index that was made by CREATE INDEX, except those that only grow at their end, or
   * hardly at all. Keeping these while lines are read takes 5 % less time than making them at the
   * end. The index of streams without an end is made again by `finish`, when few are left. Kept up
   * to date, it took 0.3 µs a row if two in five were such streams; made at the end, 0.1.
   */
  dropIndexes(): void {
    this.#drop(`${IS_INDEX} AND name NOT IN ('idx_requests_timestamp', 'idx_requests_unjournaled')`)
  }

  /** Drops the index whose keys are random. Indexes that a user has added are kept up to date. */
  dropRandomIndex(): void {
    this.#drop(`${IS_INDEX} AND name = 'idx_requests_correlation_id'`)
  }

  /**
   * Drops the triggers that users have made, until `finish`. Rows that are deleted and inserted
   * again must not fire them, since a trigger that deletes what belongs to a deleted request would
   * do harm.
   */
  dropTriggers(): void {
    this.#drop("type = 'trigger'")
  }

  /**
   * Makes the dropped indexes again, since completions need one of them. Each is made by its own
   * SQL, so that those of users come back as they were. That of streams without an end is left to
   * `finish`.
   */
  createIndexes(): void {
    const isLast = ({ type, name }: Dropped) => type === 'trigger' || name === 'idx_requests_unended'
    for (const { sql } of this.#dropped.filter((one) => !isLast(one))) this.#database.exec(sql)
    this.#dropped = this.#dropped.filter(isLast)
  }

  /**
   * Defers the held completions, before all others. They wait for new requests, since no stored
   * request matches them.
   */
  deferHeldCompletions(): void {
    const held = this.#database.prepare<[], CompletionRow>(
      'SELECT * FROM held_completions ORDER BY segment_id, byte_offset LIMIT 1000',
    )
    const remove = this.#database.prepare(
      'DELETE FROM held_completions WHERE (segment_id, byte_offset) <= (?, ?)',
    )
    for (let rows = held.all(); rows.length > 0; rows = held.all()) {
      for (const row of rows) this.deferred.add({ ...placedCompletion(row), beforeId: 0 })
      const last = rows.at(-1)
      remove.run(last?.segment_id, last?.byte_offset)
    }
  }

  /** Drops the table of deferred completions, and makes the last index and the triggers again. */
  finish(): void {
    for (const { sql } of this.#dropped.splice(0)) this.#database.exec(sql)
    this.deferred.drop()
  }

  #drop(condition: string): void {
    const dropped = this.#database
      .prepare<[], Dropped>(
        `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND ${condition}`,
      )
      .all()
    for (const { type, name } of dropped) this.#database.exec(`DROP ${type} ${quoted(name)}`)
    this.#dropped.push(...dropped)
  }
}

/**
 * How many new rows there must be for each stored row to make a bulk transaction worth it. As
 * measured, rebuilding the index of random UUIDs takes 0.9 µs for each row of the table, and
 * keeping it up to date 4 to 8 µs for each new row.
 */
const MIN_BULK_SHARE = 1 / 4

/** The length that a line is assumed to have if none has been projected. */
const USUAL_LINE_BYTES = 400

/**
 * Whether rebuilding an index is cheaper than keeping it up to date, because so many lines wait.
 *
 * @param bytes how many bytes of lines the transaction will take.
 */
export function isWorthBulk(
  database: Database,
  bytes: number,
  positions: Iterable<SegmentPosition>,
): boolean {
  if (bytes <= 0) return false
  let [projectedBytes, lines] = [0, 0]
  for (const position of positions) {
    projectedBytes += position.projectedBytes
    lines += position.counts.lines
  }
  const lineBytes = lines === 0 ? USUAL_LINE_BYTES : projectedBytes / lines
  const newRows = bytes / lineBytes
  const last = database.prepare<[], number | null>('SELECT max(id) FROM requests').pluck().get()
  return newRows >= (last ?? 0) * MIN_BULK_SHARE
}
