import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect } from 'vitest'
import { doctor, prune, redate, status, verify } from '../../../src/maintenance/index.js'
import { openDatabase, projectOnce, replay } from '../../../src/projection/index.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { test } from '../../support/workspace.js'

const OPERATIONS = {
  doctor,
  projectOnce,
  prune: (places: { journal: string; database: string }) => prune({ ...places, before: '2026-11-20' }),
  redate,
  replay,
  status,
  verify,
}

test('whatever table is gone, what fails says that the tables were changed', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a'), 'nonsense', completionLine('never')))
  await projectOnce({ journal, database })
  workspace.expectDamage()
  const tables = openDatabase(database)
    .prepare<[], string>(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '[_s]*ql*'`)
    .pluck()
    .all()
  expect(tables.length).toBeGreaterThan(15)
  let failures = 0
  for (const table of tables) {
    for (const [operation, run] of Object.entries(OPERATIONS)) {
      const copy = join(workspace.directory, `${table}-${operation}.db`)
      copyFileSync(database, copy)
      const connection = new SQLite(copy)
      connection.exec(`PRAGMA foreign_keys = off; DROP TABLE ${table}`)
      connection.close()
      try {
        await run({ journal, database: copy })
      } catch (error) {
        failures++
        expect(error, `${operation} without ${table}`).toMatchObject({ code: 'SCHEMA_CHANGED' })
      }
    }
  }
  expect(failures).toBeGreaterThan(20)
})
