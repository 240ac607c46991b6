import type { Database } from './connection/database.js'
import {
  COMPLETION_COLUMNS,
  type CompletionRow,
  completionValues,
  type PlacedCompletion,
  placedCompletion,
} from './projection-tables.js'

interface DeferredRow extends CompletionRow {
  next_id: number
  sequence: number
}

interface Index {
  name: string
  sql: string
}

/** A completion that waits for the end of a bulk load, and the id that the request behind it got. */
export interface DeferredCompletion extends PlacedCompletion {
  nextId: number
}

/**
 * Of a transaction that inserts so many requests that an index is cheaper made anew than kept. Completions, which need it
 * to find their row, are put aside meanwhile.
 */
export class BulkTables {
  readonly #database: Database
  #indexes: Index[] = []
  readonly #triggers: string[] = []

  constructor(database: Database) {
    this.#database = database
    database.exec(`
      CREATE TEMP TABLE deferred_completions (
        sequence INTEGER PRIMARY KEY, next_id, segment_id, byte_offset, ${COMPLETION_COLUMNS}
      )
    `)
  }

  /**
   * Drops every index that a statement made, apart from those that only grow at their end, or hardly at all: while lines are
   * read there is time to keep them, which takes 5 % off a replay. That of streams without an end comes back once these are few:
   * kept, it took 0.3 µs a row where two in five are such streams, made at the end 0.1.
   */
  dropIndexes(): void {
    this.#drop("sql IS NOT NULL AND name NOT IN ('idx_requests_timestamp', 'idx_requests_unjournaled')")
  }

  /** The one whose keys are random; those that a user has added may be either. */
  dropRandomIndex(): void {
    this.#drop("name = 'idx_requests_correlation_id'")
  }

  /**
   * Drops the triggers that users have made, until `finish`: to them rows that go and come back the same are no news, and one that
   * deletes what belongs to a request would do so.
   */
  dropTriggers(): void {
    const triggers = this.#database
      .prepare<[], { name: string; sql: string }>(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
      )
      .all()
    for (const { name } of triggers) this.#database.exec(`DROP TRIGGER "${name.replaceAll('"', '""')}"`)
    this.#triggers.push(...triggers.map(({ sql }) => sql))
  }

  /** Makes what completions need, as it was: one that a user has added or changed comes back so too. */
  createIndexes(): void {
    const isLast = ({ name }: Index) => name === 'idx_requests_unended'
    for (const { sql } of this.#indexes.filter((index) => !isLast(index))) this.#database.exec(sql)
    this.#indexes = this.#indexes.filter(isLast)
  }

  deferrer(): (completion: PlacedCompletion, nextId: number) => void {
    const statement = this.#database.prepare(
      `INSERT INTO deferred_completions (next_id, segment_id, byte_offset, ${COMPLETION_COLUMNS})
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    return ({ completion, place }, nextId) => {
      statement.run(nextId, place.segmentId, place.byteOffset, ...completionValues(completion))
    }
  }

  /** Those that were held wait again, before all others: only for requests, since none that was there was theirs. */
  deferHeldCompletions(): void {
    const columns = `segment_id, byte_offset, ${COMPLETION_COLUMNS}`
    this.#database.exec(`
      INSERT INTO deferred_completions (next_id, ${columns})
        SELECT 0, ${columns} FROM held_completions ORDER BY segment_id, byte_offset;
      DELETE FROM held_completions;
    `)
  }

  /** In the order in which they were put aside; a page at a time, so that statements can run in between. */
  *deferredCompletions(): Generator<DeferredCompletion> {
    const page = this.#database.prepare<[number], DeferredRow>(
      'SELECT * FROM deferred_completions WHERE sequence > ? ORDER BY sequence LIMIT 1000',
    )
    let last = 0
    for (;;) {
      const rows = page.all(last)
      if (rows.length === 0) return
      for (const { sequence, next_id, ...row } of rows) {
        last = sequence
        yield { ...placedCompletion(row), nextId: next_id }
      }
    }
  }

  /** Drops what was put aside, and makes the last index and the triggers again. */
  finish(): void {
    for (const { sql } of this.#indexes.splice(0)) this.#database.exec(sql)
    for (const sql of this.#triggers.splice(0)) this.#database.exec(sql)
    this.#database.exec('DROP TABLE temp.deferred_completions')
  }

  #drop(condition: string): void {
    const indexes = this.#database
      .prepare<[], Index>(
        `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'requests' AND ${condition}`,
      )
      .all()
    for (const { name } of indexes) this.#database.exec(`DROP INDEX "${name.replaceAll('"', '""')}"`)
    this.#indexes.push(...indexes)
  }
}

/** The ids that requests get live: one after the other, behind every one that was ever given. */
export function* nextIds(database: Database): Generator<number, never> {
  const last = database.prepare<[], { id: number }>(
    `SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'requests'), 0),
       coalesce((SELECT max(id) FROM requests), 0)) AS id`,
  )
  for (let id = (last.get()?.id ?? 0) + 1; ; id++) yield id
}
