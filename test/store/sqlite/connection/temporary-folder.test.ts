import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { test } from '../../../support/workspace.js'

const DATABASE_MODULE = join(import.meta.dirname, '../../../../dist/store/sqlite/connection/database.js')
const ERRORS_MODULE = join(import.meta.dirname, '../../../../dist/store/sqlite/connection/errors.js')
const PROGRAM = join(import.meta.dirname, '../../../../dist/cli/main.js')
const isRoot = process.getuid?.() === 0

/** Fills 40 MB of temporary files, in a process whose temporary folder is what the environment says. */
function sortMuch(database: string, environment: NodeJS.ProcessEnv): string {
  const script = `
    import { openDatabase } from ${JSON.stringify(DATABASE_MODULE)}
    import { asDatabaseError } from ${JSON.stringify(ERRORS_MODULE)}
    const database = openDatabase(${JSON.stringify(database)})
    try {
      database.exec(\`CREATE TEMP TABLE t AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
        SELECT randomblob(1000) FROM n\`)
      console.log('done')
    } catch (error) {
      console.log(asDatabaseError(error, ${JSON.stringify(database)}).message)
    }`
  const env = { ...process.env, SQLITE_TMPDIR: undefined, ...environment }
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' }).stdout
}

describe.skipIf(!isRoot)('a temporary folder that is full (needs root, to mount a tmpfs)', () => {
  test('of the system stops nothing: SQLite’s temporary files lie beside the database', ({ workspace }) => {
    withFullFolder(workspace.directory, (full) => {
      expect(sortMuch(workspace.database, { TMPDIR: full })).toBe('done\n')
    })
  })

  test('that SQLITE_TMPDIR names is named by the error, and a problem to doctor', ({ workspace }) => {
    const { directory, database, journal } = workspace
    withFullFolder(directory, (full) => {
      expect(sortMuch(database, { SQLITE_TMPDIR: full })).toContain(
        `check the disk of ${directory}, and of ${full}, where SQLite's temporary files go`,
      )
      const env = { ...process.env, SQLITE_TMPDIR: full }
      const args = ['doctor', '--journal', journal, '--db', database, '--json']
      const { stdout } = spawnSync(process.execPath, [PROGRAM, ...args], { env, encoding: 'utf8' })
      const checks: unknown[] = JSON.parse(stdout).checks
      expect(checks).toContainEqual(
        expect.objectContaining({
          check: 'temporary_files',
          level: 'problem',
          found: expect.stringContaining(full),
        }),
      )
    })
  })
})

function withFullFolder(directory: string, use: (folder: string) => void): void {
  const folder = join(realpathSync(directory), 'full')
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
  try {
    expect(() => writeFileSync(join(folder, 'filler'), Buffer.alloc(100_000))).toThrow('ENOSPC')
    use(folder)
  } finally {
    execFileSync('umount', [folder])
  }
}
