import type { Connection, SqlParameter } from './connection/connection.js'
import { jsonRows } from './connection/values.js'

/** Runs statements about the rows of one journal, whose number is their first parameter, `$1`. */
export class JournalConnection {
  readonly connection: Connection
  readonly number: number

  constructor(connection: Connection, number: number) {
    this.connection = connection
    this.number = number
  }

  async all<Row extends object>(sql: string, ...values: SqlParameter[]): Promise<Row[]> {
    return await this.connection.all<Row>(sql, this.number, ...values)
  }

  async one<Row extends object>(sql: string, ...values: SqlParameter[]): Promise<Row | undefined> {
    return await this.connection.one<Row>(sql, this.number, ...values)
  }

  /** @returns how many rows were changed. */
  async run(sql: string, ...values: SqlParameter[]): Promise<number> {
    return await this.connection.run(sql, this.number, ...values)
  }

  /**
   * Inserts rows of this journal into a table.
   *
   * @param onConflict an ON CONFLICT clause.
   */
  async insert(table: string, rows: readonly object[], onConflict = ''): Promise<void> {
    if (rows.length === 0) return
    await this.connection.run(
      `INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, $1) ${onConflict}`,
      jsonRows(rows.map((row) => ({ ...row, journal: this.number }))),
    )
  }
}
