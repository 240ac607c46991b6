import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import SQLite from 'better-sqlite3'

/** The text that sqlx 0.8 creates its ledger with for SQLite. */
export const SQLX_LEDGER = `
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);`

/** Makes a database as the sqlx migrator leaves it, with its first migration applied. */
export function makeDatabaseBySqlx(path: string): void {
  const initial = readFileSync(new URL('../../migrations/20260203000000_initial_schema.sql', import.meta.url))
  const database = new SQLite(path)
  database.exec(SQLX_LEDGER)
  database.exec(initial.toString())
  database
    .prepare(
      "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (20260203000000, 'initial schema', TRUE, ?, 1234567)",
    )
    .run(createHash('sha384').update(initial).digest())
  database.close()
}
