import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { end, run, start, startDaemon } from '../support/program.js'
import { requestLog, test, type Workspace } from '../support/workspace.js'

const countRows = ({ database, query }: Workspace) =>
  existsSync(database) ? query('SELECT count(*) AS n FROM requests')[0]?.['n'] : null

test.for(['SIGTERM', 'SIGINT'] as const)(
  '%s ends it cleanly: exit 0, no WAL, no pid',
  async (signal, { workspace }) => {
    const { journal, database } = workspace
    writeSegment(journal, lines(requestLine('a')))
    const daemon = await startDaemon(journal, database)
    await expect.poll(() => countRows(workspace), { interval: 10, timeout: 10_000 }).toBe(1)
    expect(await end(daemon, signal)).toBe(0)
    expect(existsSync(`${database}-wal`)).toBe(false)
    expect(existsSync(`${database}.pid`)).toBe(false)
  },
)

test('a second projector is refused and told the pid of the first', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  const daemon = await startDaemon(journal, database)
  for (const args of [['project'], ['project', '--once'], ['replay']]) {
    const { status, stdout, stderr } = await runHere([...args, '--journal', journal, '--db', database])
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(new RegExp(`error: .*pid ${daemon.pid} `))
    expect(stderr).not.toContain('    at ')
  }
  const { stdout } = await runHere(['status', '--journal', journal, '--db', database])
  expect(stdout).toMatch(/^projector running$/m)
  await end(daemon)
})

test('waits for a journal, then projects what comes', async ({ workspace }) => {
  const { journal, database } = workspace
  const daemon = await startDaemon(journal, database)
  const writer = openJournal({ directory: journal })
  for (let i = 0; i < 3; i++) writer.append(requestLog())
  await writer.close()
  await expect.poll(() => countRows(workspace), { interval: 10, timeout: 10_000 }).toBe(3)
  expect(await end(daemon)).toBe(0)
})

test('what it can’t go on from is said, exit 1', async ({ workspace }) => {
  const { journal, database } = workspace
  workspace.expectDamage()
  writeSegment(journal, lines(requestLine('a')), '2026-11-21.ndjson')
  await projectOnce({ journal, database })
  rmSync(`${journal}/2026-11-21.ndjson`)
  writeSegment(journal, lines(requestLine('b')))
  const daemon = start(['project', '--journal', journal, '--db', database, '--log-level', 'silent'])
  let stderr = ''
  daemon.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const [status] = await once(daemon, 'close')
  expect(status).toBe(1)
  expect(stderr).toMatch(/^error: .*2026-11-21\.ndjson: the segment is gone.*\n$/)
})

test('logs JSON lines where stderr is no terminal, from the level that was asked for', ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a'), completionLine('a'), 'nonsense'))
  const args = ['project', '--once', '--journal', journal, '--db', database]
  const { stdout, stderr } = run([...args, '--log-level', 'warn'])
  expect(stdout).toMatch(
    /^2 events \(1 request\) projected in [\d,]+ ms, 1 line rejected: see `request-journal rejected`\n$/,
  )
  expect(JSON.parse(stderr)).toMatchObject({ level: 40, reason: 'not_json' })
  const again = run([...args, '--json'])
  expect(JSON.parse(again.stderr)).toMatchObject({ level: 30, msg: 'Projecting' })
  expect(again.json).toMatchObject({ projected: 0, rejected: 0, elapsed_ms: expect.any(Number) })
})
