import type { SqlValue } from '../../condition.js'
import type { Dialect } from '../../dialect.js'
import type { QueryDatabase, QueryStatement } from '../../query-database.js'
import { DEFAULT_SCHEMA, postgresAddress } from '../connection/address.js'
import type { Table } from '../connection/connection.js'
import { PostgresError } from '../connection/errors.js'
import { POSTGRES, storable } from './postgres-dialect.js'
import { PAGE_ROWS, type QueryAnswer, type QueryCall } from './query-messages.js'
import { QueryThread } from './query-thread.js'

/**
 * How long after a question's deadline the server may still say that it has ended the question.
 * After that the server counts as unreachable, since one that has lost its power or its network
 * doesn't say so.
 */
export const ANSWER_MARGIN_MS = 2000

/** How long connecting may take, even on a busy machine. The driver itself gives up after 10 s. */
const CONNECT_LIMIT_MS = 15_000

/**
 * A connection that reads the rows of all journals. Questions are synchronous: another thread talks
 * to the server, and this one waits for it. Every transaction reads one snapshot of the data. When
 * the server has closed the connection, or hasn't answered by the deadline, the next transaction
 * opens another one.
 */
export class PostgresQueryConnection implements QueryDatabase {
  readonly dialect: Dialect = POSTGRES
  /** The address, without a password. */
  readonly name: string
  readonly #address: string
  readonly #schema: string
  /** Null before the first question, and after one that had no answer. */
  #thread: QueryThread | null = null
  #isInTransaction = false
  #isClosed = false
  #cursors = 0
  #deadline: { at: number; timedOut: () => Error } | null = null

  /**
   * Connects, and checks the schema.
   *
   * @throws PostgresError ADDRESS_INVALID, DRIVER_MISSING, SERVER_AWAY, LOGIN_REFUSED,
   *   RIGHTS_MISSING, SCHEMA_MISSING, SCHEMA_BEHIND, SCHEMA_TOO_NEW, MIGRATION_EDITED
   */
  constructor(address: string, schema: string = DEFAULT_SCHEMA) {
    this.name = postgresAddress(address).name
    this.#address = address
    this.#schema = schema
    try {
      this.#call({ is: 'connect' })
    } catch (error) {
      this.close()
      throw error
    }
  }

  prepare<Values extends unknown[] = unknown[], Row = unknown>(sql: string): QueryStatement<Values, Row> {
    return new PostgresStatement<Values, Row>(this, sql)
  }

  transaction<T>(action: () => T): () => T {
    return () => {
      if (this.#isInTransaction) return action()
      this.begin()
      try {
        const result = action()
        this.#end('commit')
        return result
      } catch (error) {
        this.#end('rollback')
        throw error
      } finally {
        this.#deadline = null
      }
    }
  }

  setDeadline(deadline: number, timedOut: () => Error): void {
    this.#deadline = { at: deadline, timedOut }
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#thread?.release(ANSWER_MARGIN_MS)
    this.#thread = null
  }

  /** @internal Begins a transaction; false if one is open. */
  begin(): boolean {
    if (this.#isInTransaction) return false
    this.#call({ is: 'begin' })
    this.#isInTransaction = true
    return true
  }

  /** @internal Ends a transaction that has only read. */
  end(): void {
    if (this.#isInTransaction) this.#end('commit')
  }

  /** @internal Reads the rows of a statement page by page. Call it in a transaction. */
  *pages(sql: string, values: readonly unknown[], hasBigInts: boolean): Generator<Table> {
    const cursor = `c${++this.#cursors}`
    let page = this.read(sql, values, hasBigInts, cursor)
    try {
      for (;;) {
        yield page
        if (page.rows.length < PAGE_ROWS) return
        page = this.#rows({ is: 'fetch', cursor, hasBigInts })
      }
    } finally {
      // A cursor that was read to its end is closed with its transaction.
      if (page.rows.length === PAGE_ROWS && this.#isInTransaction) this.#call({ is: 'closeCursor', cursor })
    }
  }

  /** @internal Reads all rows of a statement, or the first ones of a cursor. */
  read(sql: string, values: readonly unknown[], hasBigInts: boolean, cursor?: string): Table {
    const timeout = this.#deadline === null ? {} : { timeoutMs: this.#timeLeftMs(this.#deadline) }
    const named = cursor === undefined ? {} : { cursor }
    const given = values.map((value) => (typeof value === 'string' ? storable(value) : value)) as SqlValue[]
    return this.#rows({ is: 'read', sql, values: given, hasBigInts, ...named, ...timeout })
  }

  #timeLeftMs({ at, timedOut }: { at: number; timedOut: () => Error }): number {
    const left = Math.ceil(at - performance.now())
    if (left <= 0) throw timedOut()
    return left
  }

  #end(how: 'commit' | 'rollback'): void {
    this.#isInTransaction = false
    // Without a thread there is no transaction any more.
    if (this.#thread !== null) this.#call({ is: how })
  }

  #rows(call: QueryCall): Table {
    const answer = this.#call(call)
    if (answer.is !== 'rows') throw new Error(`unreachable: ${answer.is} to ${call.is}`)
    return answer.table
  }

  #call(call: QueryCall): QueryAnswer {
    if (this.#isClosed) throw new TypeError('The database connection is not open')
    const limitMs = this.#limitMs(call)
    this.#thread ??= QueryThread.take(this.#address, this.#schema)
    const answer = this.#thread.call(call, limitMs)
    if (answer === 'late' || answer === 'ended') {
      this.#thread.end()
      this.#thread = null
      throw answer === 'late' ? this.#unanswered(limitMs ?? 0) : this.#ended()
    }
    if (answer.is === 'failed') throw answer.error
    if (answer.is !== 'refused') return answer
    if (answer.isTimedOut && this.#deadline !== null) throw this.#deadline.timedOut()
    throw new PostgresError(answer.code, this.name, answer.message)
  }

  /**
   * How long to wait for an answer; null if a question without a deadline may take as long as it
   * needs.
   */
  #limitMs({ is }: QueryCall): number | null {
    if (this.#deadline !== null) {
      return Math.max(0, this.#deadline.at - performance.now()) + ANSWER_MARGIN_MS
    }
    return is === 'read' || is === 'fetch' ? null : CONNECT_LIMIT_MS
  }

  #ended(): Error {
    const found = 'the thread that queries the server has ended, probably because it ran out of memory'
    return new Error(`${this.name}: ${found}: narrow the question with a filter`)
  }

  #unanswered(limitMs: number): PostgresError {
    const found = `the server hasn't answered within ${Math.round(limitMs / 100) / 10} s`
    return new PostgresError('SERVER_AWAY', this.name, `${found}: check that it and the network are up`)
  }
}

class PostgresStatement<Values extends unknown[], Row> implements QueryStatement<Values, Row> {
  readonly #connection: PostgresQueryConnection
  readonly #sql: string
  #rowMode: 'object' | 'raw' | 'pluck' = 'object'
  #hasBigInts = false

  constructor(connection: PostgresQueryConnection, sql: string) {
    this.#connection = connection
    this.#sql = numbered(sql)
  }

  get(...values: Values): Row | undefined {
    return this.all(...values)[0]
  }

  all(...values: Values): Row[] {
    return this.#rowsOf(this.#connection.read(this.#sql, values, this.#hasBigInts))
  }

  *iterate(...values: Values): Generator<Row, undefined> {
    const isOwn = this.#connection.begin()
    try {
      const pages = this.#connection.pages(this.#sql, values, this.#hasBigInts)
      for (const page of pages) yield* this.#rowsOf(page)
    } finally {
      if (isOwn) this.#connection.end()
    }
  }

  raw(): this {
    this.#rowMode = 'raw'
    return this
  }

  pluck(): this {
    this.#rowMode = 'pluck'
    return this
  }

  safeIntegers(): this {
    this.#hasBigInts = true
    return this
  }

  #rowsOf({ columns, rows }: Table): Row[] {
    const read = {
      object: (row: unknown[]) =>
        Object.fromEntries(columns.map((name, index) => [name, received(row[index])])),
      raw: (row: unknown[]) => row.map(received),
      pluck: (row: unknown[]) => received(row[0]),
    }
    return rows.map(read[this.#rowMode]) as Row[]
  }
}

/**
 * Returns a value as it was before it was passed between threads, which turns buffers into arrays.
 */
function received(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value
}

/**
 * Numbers the question marks of a statement, except those in strings, since PostgreSQL's
 * placeholders are `$1`, `$2` and so on.
 */
function numbered(sql: string): string {
  let count = 0
  return sql.replace(/'[^']*'|\?/g, (found) => (found === '?' ? `$${++count}` : found))
}
