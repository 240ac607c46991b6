import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Statement } from 'better-sqlite3'
import { test as base, type TestAPI } from 'vitest'
import { type Database, openDatabase } from '../../src/store/sqlite/connection/database.js'
import { clearRollups } from '../../src/store/sqlite/rollups/rollup-statements.js'
import { countRows } from '../support/count-rows.js'
import { putEmptyDatabase } from '../support/empty-database.js'

export type Row = Record<string, string | number | null>

/** A test with a database of its own. */
export const test: TestAPI<{ database: Database }> = base.extend<{ database: Database }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  database: async ({}, use) => {
    const directory = mkdtempSync(join(tmpdir(), 'request-journal-queries-'))
    const path = join(directory, 'requests.db')
    putEmptyDatabase(path)
    const database = openDatabase(path)
    try {
      await use(database)
    } finally {
      database.close()
      rmSync(directory, { recursive: true, force: true })
    }
  },
})

/** Adds rows; what isn't given is as little as a row can have. */
export function insert(database: Database, ...rows: Row[]): void {
  database.transaction(() => {
    for (const row of rows.length === 0 ? [{}] : rows) insertRow(database, row)
    countRows(database)
  })()
}

export function insertRow(database: Database, row: Row): void {
  const full: Row = {
    correlation_id: 'c',
    timestamp: '2026-11-22T10:00:00.000Z',
    model: 'gpt-4o',
    latency_ms: 100,
    success: 1,
    ...row,
  }
  const names = Object.keys(full)
  const sql = `INSERT INTO requests (${names.join(', ')}) VALUES (${names.map((name) => `@${name}`).join(', ')})`
  const statements = insertions.get(database) ?? new Map<string, Statement>()
  insertions.set(database, statements)
  const statement = statements.get(sql) ?? database.prepare(sql)
  statements.set(sql, statement)
  statement.run(full)
}

/** The statements that have inserted rows: to prepare one takes far longer than to run it. */
const insertions = new WeakMap<Database, Map<string, Statement>>()

/** Makes the table these rows. The roll-ups have the first ones; another program has added the rest since. */
export function fill(database: Database, rows: readonly object[], counted = rows.length): void {
  database.transaction(() => {
    database.exec('DELETE FROM requests; UPDATE rollup_unjournaled SET last_id = 0')
    clearRollups(database)
    for (const row of rows.slice(0, counted)) insertRow(database, row as Row)
    countRows(database)
    for (const row of rows.slice(counted)) insertRow(database, row as Row)
  })()
}
