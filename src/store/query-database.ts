import type { Dialect } from './dialect.js'
import { SQLITE } from './sqlite/sqlite-dialect.js'

/** A database that can be queried: a connection of better-sqlite3, or one to PostgreSQL. */
export interface QueryDatabase {
  /** How its SQL differs from that of the others. @default SQLite's */
  readonly dialect?: Dialect
  /** Prepares a statement, whose parameters are question marks. */
  prepare<Values extends unknown[] = unknown[], Row = unknown>(sql: string): QueryStatement<Values, Row>
  /** Returns a function that runs an action in a transaction, which sees one snapshot. */
  transaction<T>(action: () => T): () => T
  /**
   * Sets a deadline, on the clock of performance.now(), at which running statements are ended with
   * this error. A database without this method checks the time inside its statements.
   */
  setDeadline?(deadline: number, timedOut: () => Error): void
}

/** A statement that reads rows. */
export interface QueryStatement<Values extends unknown[] = unknown[], Row = unknown> {
  get(...values: Values): Row | undefined
  all(...values: Values): Row[]
  /** Reads the rows one by one, however many there are. */
  iterate(...values: Values): IterableIterator<Row>
  /** Makes rows arrays of their columns from now on. */
  raw(): this
  /** Makes each row the value of its first column from now on. */
  pluck(): this
  /** Makes integers bigints from now on. */
  safeIntegers(): this
}

/** Returns how the SQL of a database differs from that of others. */
export function dialectOf({ dialect = SQLITE }: QueryDatabase): Dialect {
  return dialect
}
