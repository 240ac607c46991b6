import type { Database } from 'better-sqlite3'
import { connect } from '../connection/sqlite.js'
import { apply, type Migration } from './migrations.js'

interface SchemaRow {
  sql: string
}

/**
 * Tries migrations on an empty copy of a database's schema, which is all that they can fail on.
 *
 * @throws DatabaseError as the migrations themselves would.
 */
export function tryMigrations(database: Database, path: string, migrations: readonly Migration[]): void {
  const copy = connect(':memory:', {})
  try {
    const schema = database
      .prepare<[], SchemaRow>(
        `SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY type <> 'table', rowid`,
      )
      .all()
    for (const { sql } of schema) create(copy, sql)
    for (const migration of migrations) apply(copy, path, migration)
  } finally {
    copy.close()
  }
}

function create(copy: Database, sql: string): void {
  try {
    copy.exec(sql)
  } catch {
    // A virtual table, or a view or trigger, of an extension that isn't loaded here: it belongs to another program.
  }
}
