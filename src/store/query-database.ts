import type { Dialect } from './dialect.js'
import { SQLITE } from './sqlite/sqlite-dialect.js'

/** A database that questions are put to: a connection of better-sqlite3, or one of PostgreSQL. */
export interface QueryDatabase {
  /** How its SQL differs from that of the others. @default SQLite's */
  readonly dialect?: Dialect
  /** Prepares a statement, whose parameters are question marks. */
  prepare<Values extends unknown[] = unknown[], Row = unknown>(sql: string): QueryStatement<Values, Row>
  /** Returns a function that runs an action in a transaction, which sees the data of one moment. */
  transaction<T>(action: () => T): () => T
  /**
   * Has statements ended at a time of performance.now(), with this error. A database that hasn't
   * this looks at the clock in its statements.
   */
  setDeadline?(deadline: number, timedOut: () => Error): void
}

/** A statement that reads rows. */
export interface QueryStatement<Values extends unknown[] = unknown[], Row = unknown> {
  get(...values: Values): Row | undefined
  all(...values: Values): Row[]
  /** Reads the rows one by one, however many there are. */
  iterate(...values: Values): IterableIterator<Row>
  /** Rows are arrays of their columns from now on. */
  raw(): this
  /** Rows are the value of their first column from now on. */
  pluck(): this
  /** Integers are bigints from now on. */
  safeIntegers(): this
}

/** Tells how the SQL of a database differs from that of others. */
export function dialectOf({ dialect = SQLITE }: QueryDatabase): Dialect {
  return dialect
}
