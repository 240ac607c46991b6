import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, type TestAPI } from 'vitest'
import { type Database, openDatabase } from '../../src/storage/database.js'

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

/** Adds a row; what isn't given is as little as a row can have. */
export function insert(database: Database, row: Record<string, string | number | null> = {}): void {
  const full = {
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
