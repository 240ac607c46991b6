import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { test as base, expect } from 'vitest'
import type { RequestLog } from '../../src/index.js'
import { findDifferences } from './checker.js'

export interface Workspace {
  directory: string
  journal: string
  database: string
  /** The test has damaged journal or database on purpose: they no longer agree. */
  expectDamage(): void
  /** All rows that a statement gives, read through a connection of their own. */
  query(sql: string): Record<string, unknown>[]
  /** The segments' names, in order. */
  segments(): string[]
  readSegment(name: string): Buffer
}

/**
 * Lends a directory of its own. Behind it the invariant is checked by code that the program doesn't share: rows equal
 * the fold of the journal, and each position stands on a line boundary within the segment.
 */
export async function withWorkspace(use: (workspace: Workspace) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-test-'))
  const journal = join(directory, 'journal')
  const database = join(directory, 'requests.db')
  let isDamaged = false
  await use({
    directory,
    journal,
    database,
    expectDamage: () => {
      isDamaged = true
    },
    query: (sql) => query(database, sql),
    segments: () =>
      readdirSync(journal)
        .filter((name) => name.endsWith('.ndjson'))
        .sort(),
    readSegment: (name) => readFileSync(join(journal, name)),
  })
  try {
    if (!isDamaged && existsSync(database)) expect(findDifferences(journal, database)).toEqual([])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A test with a workspace of its own. */
export const test = base.extend<{ workspace: Workspace }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  workspace: async ({}, use) => await withWorkspace(use),
})

/** All rows that a statement gives. */
export function query(path: string, sql: string): Record<string, unknown>[] {
  const database = new SQLite(path, { readonly: true })
  try {
    return database.prepare(sql).all() as Record<string, unknown>[]
  } finally {
    database.close()
  }
}

/** A request with nothing special about it. */
export function requestLog(fields: Partial<RequestLog> = {}): RequestLog {
  return { model: 'gpt-4o', latency_ms: 120, success: true, ...fields }
}
