import type { QueryDatabase, QueryStatement } from '../../store/query-database.js'

/**
 * Prepares each SQL text once: a question about many days or hours runs the same text many times.
 * All users of one text must set the same modes (`raw`, `pluck`, `safeIntegers`) on its statement.
 */
export class Statements {
  readonly #database: QueryDatabase
  readonly #prepared = new Map<string, QueryStatement>()

  constructor(database: QueryDatabase) {
    this.#database = database
  }

  prepare(sql: string): QueryStatement {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }
}
