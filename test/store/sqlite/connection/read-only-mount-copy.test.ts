import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { status } from '../../../../src/maintenance/index.js'
import { projectOnce } from '../../../../src/projection/index.js'
import { stats } from '../../../../src/queries/index.js'
import { QueryPool } from '../../../../src/server/pool/query-pool.js'
import { ReadConnection } from '../../../../src/server/pool/read-connection.js'
import { openDatabase, openDatabaseReadOnly } from '../../../../src/store/sqlite/connection/database.js'
import { lines, writeSegment } from '../../../support/journal-files.js'
import { requestLine } from '../../../support/lines.js'
import { test } from '../../../support/workspace.js'

const isRoot = process.getuid?.() === 0

describe.skipIf(!isRoot)('a database on a read-only mount (needs root, to mount it)', () => {
  test('is read, and again once another mount of the same disk has changed it', async ({ workspace }) => {
    const { journal } = workspace
    writeSegment(journal, lines(requestLine('a')))
    await withTwoMounts(workspace.directory, async (writable, readOnly) => {
      const database = join(writable, 'requests.db')
      await projectOnce({ journal, database })
      const connection = new ReadConnection(join(readOnly, 'requests.db'), 'none')
      expect(stats(connection.get()).counts.total).toBe(1)
      expect(await status({ journal, database: join(readOnly, 'requests.db') })).toMatchObject({
        lag_bytes: 0,
      })
      writeSegment(journal, lines(requestLine('b')))
      await projectOnce({ journal, database })
      expect(stats(connection.get()).counts.total).toBe(2)
      connection.close()
    })
  })

  test('is refused while a -wal holds changes that can’t be read there', async ({ workspace }) => {
    await withTwoMounts(workspace.directory, async (writable, readOnly) => {
      const database = openDatabase(join(writable, 'open.db'))
      database.exec('CREATE TABLE t (x)')
      // As a crash leaves them: the database with a WAL, but without a process and its -shm.
      copyFileSync(join(writable, 'open.db'), join(writable, 'requests.db'))
      copyFileSync(join(writable, 'open.db-wal'), join(writable, 'requests.db-wal'))
      database.close()
      const link = join(workspace.directory, 'link.db')
      symlinkSync(join(readOnly, 'requests.db'), link)
      for (const path of [join(readOnly, 'requests.db'), link]) {
        expect(() => openDatabaseReadOnly(path)).toThrow(
          /on a read-only mount, and its -wal holds changes .*: copy both to a folder/,
        )
      }
    })
  })

  test('is copied before anything is asked, and the copies of killed processes go', async ({ workspace }) => {
    const { journal } = workspace
    const temporary = join(workspace.directory, 'temporary')
    mkdirSync(temporary)
    vi.stubEnv('TMPDIR', temporary)
    // At once: the next file of this process may want a folder before its first test begins.
    onTestFinished(() => void vi.unstubAllEnvs())
    writeSegment(journal, lines(requestLine('a')))
    await withTwoMounts(workspace.directory, async (writable, readOnly) => {
      await projectOnce({ journal, database: join(writable, 'requests.db') })
      const onFailure = (error: unknown) => expect.unreachable(String(error))
      const database = join(readOnly, 'requests.db')
      const pool = new QueryPool({
        database,
        schema: 'none',
        journal,
        processes: 2,
        timeoutMs: 60_000,
        onFailure,
      })
      await pool.ready()
      expect(readdirSync(temporary)).toHaveLength(2)
      expect(JSON.parse(await pool.ask({ query: 'stats', options: {} }))).toMatchObject({
        counts: { total: 1 },
      })
      pool.close()
      expect(readdirSync(temporary)).toEqual([])
    })
  })
})

/** The same tmpfs twice: once as it is, and once read-only. */
async function withTwoMounts(
  directory: string,
  use: (writable: string, readOnly: string) => Promise<void>,
): Promise<void> {
  const writable = join(directory, 'writable')
  const readOnly = join(directory, 'read-only')
  mkdirSync(writable)
  mkdirSync(readOnly)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', writable])
  try {
    execFileSync('mount', ['--bind', writable, readOnly])
    execFileSync('mount', ['-o', 'remount,bind,ro', readOnly])
    await use(writable, readOnly)
  } finally {
    execFileSync('umount', ['-q', '-l', readOnly, writable])
  }
}
