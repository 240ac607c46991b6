import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../src/store/sqlite/connection/database.js'

let emptyDatabase: Buffer | null = null

/** Puts an empty database at a path, as `openDatabase` makes it: a property would migrate a hundred of them. */
export function putEmptyDatabase(path: string): void {
  emptyDatabase ??= makeEmptyDatabase()
  writeFileSync(path, emptyDatabase, { mode: 0o600 })
}

function makeEmptyDatabase(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-empty-'))
  try {
    const path = join(directory, 'requests.db')
    openDatabase(path).close()
    return readFileSync(path)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
