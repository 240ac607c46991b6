import type { QueryDatabase, QueryStatement } from '../../store/query-database.js'

/**
 * Prepares each SQL text once: a question about many days or hours asks the same again and again.
 * A statement of a text is always used in the same way.
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
