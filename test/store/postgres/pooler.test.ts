import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { restore } from '../../../src/maintenance/index.js'
import { projectOnce, replay, startProjector } from '../../../src/projection/index.js'
import { exportRequests, openDatabaseReadOnly, stats } from '../../../src/queries/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { ask } from '../../support/fleet-checker.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { freePort, noPostgres, sharedPostgres } from '../../support/postgres.js'
import { test } from '../../support/workspace.js'

const PROGRAM = '/usr/sbin/pgbouncer'
const noPooler = noPostgres ?? (existsSync(PROGRAM) ? null : 'pgbouncer isn’t installed')
const schema = `pooler_${randomUUID().replaceAll('-', '')}`

describe.skipIf(noPooler !== null)(
  `pgbouncer in transaction mode${noPooler === null ? '' : ` (${noPooler})`}`,
  () => {
    let [server, pooled] = ['', '']
    let directory: string
    let pooler: ChildProcess

    beforeAll(async () => {
      if (noPooler !== null) return
      server = await sharedPostgres()
      await migratePostgres(postgresAddress(server), schema, { monthsAhead: 1 })
      directory = mkdtempSync(join(tmpdir(), 'request-journal-pooler-'))
      const port = await freePort()
      pooled = server.replace(/:\d+\//, `:${port}/`)
      pooler = startPooler(directory, port, Number(new URL(server).port))
      while (!(await ask(pooled, 'SELECT 1').catch(() => null))) await sleep(20)
    })

    afterAll(() => {
      pooler?.kill('SIGKILL')
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
    })

    test('projectors are refused, with the reason and what to do', async ({ workspace: { journal } }) => {
      writeSegment(journal, lines(requestLine('a')))
      const options = { journal, database: pooled, schema }
      const refusal = {
        code: 'POOLER_BETWEEN',
        message: expect.stringMatching(/address of the server itself/),
      }
      // However often: whether a session of the server is free, and which, is chance.
      for (const start of [projectOnce, startProjector, replay]) {
        await expect(start(options)).rejects.toMatchObject(refusal)
      }
      await projectOnce({ ...options, database: server })
      const asked = { journal: `${journal}.restored`, journalId: 'test-journal' }
      await expect(restore({ ...options, ...asked })).rejects.toMatchObject(refusal)
      // Its lock would have been left with the pooler's session.
      await projectOnce({ ...options, database: server })
    })

    test('questions are answered, page by page too', async ({ workspace: { journal } }) => {
      const ids = Array.from({ length: 5000 }, (_, n) => `r${n}`)
      writeSegment(journal, lines(...ids.map((id) => requestLine(id))), DAY, 'another-journal')
      await projectOnce({ journal, database: server, schema })
      const [row] = await ask(server, `SELECT count(*)::int AS n FROM ${schema}.requests`)
      const [one, two] = [openDatabaseReadOnly(pooled, { schema }), openDatabaseReadOnly(pooled, { schema })]
      try {
        for (const database of [one, two, one]) {
          expect(stats(database).counts.total).toBe(row?.['n'])
          expect([...exportRequests(database)].length).toBe(row?.['n'])
        }
      } finally {
        one.close()
        two.close()
      }
    })
  },
)

/** With two sessions of the server for all clients. */
function startPooler(directory: string, port: number, serverPort: number): ChildProcess {
  writeFileSync(join(directory, 'users.txt'), '"tester" ""\n')
  writeFileSync(
    join(directory, 'pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(directory, 'users.txt')}
pool_mode = transaction
default_pool_size = 2
`,
  )
  chmodSync(directory, 0o755)
  const args =
    process.getuid?.() === 0 ? ['--reuid=postgres', '--regid=postgres', '--clear-groups', PROGRAM] : []
  const [file, ...rest] = args.length === 0 ? [PROGRAM] : ['setpriv', ...args]
  return spawn(file ?? PROGRAM, [...rest, join(directory, 'pgbouncer.ini')], { stdio: 'ignore' })
}
