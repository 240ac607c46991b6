import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, type TestAPI } from 'vitest'
import { type Database, openDatabase } from '../../src/storage/database.js'

export type Row = Record<string, string | number | null>

/** A test with a database of its own. */
export const test: TestAPI<{ database: Database }> = base.extend<{ database: Database }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  database: async ({}, use) => {
    const directory = mkdtempSync(join(tmpdir(), 'request-journal-queries-'))
    const database = openDatabase(join(directory, 'requests.db'))
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
    fillRollups(database)
  })()
}

function insertRow(database: Database, row: Row): void {
  const full: Row = {
    correlation_id: 'c',
    timestamp: '2026-11-22T10:00:00.000Z',
    model: 'gpt-4o',
    latency_ms: 100,
    success: 1,
    ...row,
  }
  const names = Object.keys(full)
  database
    .prepare(
      `INSERT INTO requests (${names.join(', ')}) VALUES (${names.map((name) => `@${name}`).join(', ')})`,
    )
    .run(full)
}

const ROLLUP_TABLES = [
  'rollup_dimensions',
  'rollups',
  'rollup_latencies',
  'request_counters',
  'latency_counters',
]

const migration = readFileSync(
  new URL('../../migrations/20261122000003_rollups.sql', import.meta.url),
  'utf8',
)
const fill = migration.slice(
  migration.indexOf('CREATE TEMP TABLE rollup_fill'),
  migration.indexOf('INSERT INTO projections'),
)

/** Makes the roll-ups anew from the rows, by the migration's own statements. */
export function fillRollups(database: Database): void {
  database.exec(ROLLUP_TABLES.map((table) => `DELETE FROM ${table};`).join('\n') + fill)
}
