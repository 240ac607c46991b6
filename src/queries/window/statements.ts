import type { Statement } from 'better-sqlite3'
import type { Database } from '../../store/sqlite/connection/database.js'

/**
 * Prepares each SQL text once: a question about many days or hours asks the same again and again.
 * A statement of a text is always used in the same way.
 */
export class Statements {
  readonly #database: Database
  readonly #prepared = new Map<string, Statement<unknown[]>>()

  constructor(database: Database) {
    this.#database = database
  }

  prepare(sql: string): Statement<unknown[]> {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare<unknown[]>(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }
}
