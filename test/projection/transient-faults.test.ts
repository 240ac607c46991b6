import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { projectOnce, startProjector } from '../../src/projection/index.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { end, PROGRAM } from '../support/program.js'
import { query, test, type Workspace } from '../support/workspace.js'

const count = (workspace: Workspace) => workspace.query('SELECT count(*) AS n FROM requests')[0]?.['n']

/** Resolves when the condition holds; the test's own time limit ends a vain wait. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2)
}

function recorder() {
  const messages: string[] = []
  const say = (_: object, message: string) => messages.push(message)
  return { messages, logger: { debug() {}, info: say, warn: say, error: say } }
}

const AWAY = "The journal can't be read for now: trying again"
const BACK = 'The journal can be read again'

test('a journal that is moved away and back under the projector is waited for, and said once', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  const { messages, logger } = recorder()
  const reasons: (string | undefined)[] = []
  const onWaiting = (reason: Error | null) => reasons.push((reason as { code?: string } | null)?.code)
  const projector = await startProjector({ ...workspace, logger, onWaiting })
  await until(() => count(workspace) === 1)
  renameSync(workspace.journal, `${workspace.journal}.away`)
  await until(() => reasons.length >= 3)
  writeSegment(`${workspace.journal}.away`, lines(requestLine('b')), '2026-11-23.ndjson')
  renameSync(`${workspace.journal}.away`, workspace.journal)
  await until(() => count(workspace) === 2)
  await projector.stop()
  await projector.finished
  expect(messages.filter((message) => message === AWAY || message === BACK)).toEqual([AWAY, BACK])
  expect(new Set(reasons.slice(0, -1))).toEqual(new Set(['JOURNAL_MISSING']))
  expect(reasons.at(-1)).toBeUndefined()
})

test('a database whose folder is moved away and back under the projector is waited for', async ({
  workspace,
}) => {
  const { journal, directory } = workspace
  const folder = join(directory, 'data')
  const database = join(folder, 'requests.db')
  const rows = () => query(database, 'SELECT count(*) AS n FROM requests')[0]?.['n']
  writeSegment(journal, lines(requestLine('a')))
  const reasons: (string | undefined)[] = []
  const onWaiting = (reason: Error | null) => reasons.push((reason as { code?: string } | null)?.code)
  const projector = await startProjector({ journal, database, onWaiting })
  await until(() => rows() === 1)
  renameSync(folder, `${folder}.away`)
  writeSegment(journal, lines(requestLine('b')))
  await until(() => reasons.length > 0)
  expect(reasons[0]).toBe('DATABASE_AWAY')
  renameSync(`${folder}.away`, folder)
  await until(() => rows() === 2)
  await projector.stop()
  await projector.finished
  expect(reasons.at(-1)).toBeUndefined()
})

test('another journal in its place is not waited out', async ({ workspace }) => {
  workspace.expectDamage()
  writeSegment(workspace.journal, lines(requestLine('a')))
  const projector = await startProjector(workspace)
  await until(() => count(workspace) === 1)
  renameSync(workspace.journal, `${workspace.journal}.away`)
  const made = `${workspace.journal}.new`
  mkdirSync(made)
  writeFileSync(
    join(made, 'journal.json'),
    '{"format":1,"journal_id":"other","created_at":"2026-11-22T00:00:00.000Z"}',
  )
  renameSync(made, workspace.journal)
  await expect(projector.finished).rejects.toMatchObject({ code: 'OTHER_JOURNAL' })
})

test('a restore that brings segments before journal.json is waited for, and said', async ({ workspace }) => {
  const { messages, logger } = recorder()
  const projector = await startProjector({ ...workspace, logger })
  const path = join(workspace.journal, 'journal.json')
  writeSegment(workspace.journal, lines(requestLine('a')), '2026-11-21.ndjson')
  renameSync(path, `${workspace.directory}/journal.json`)
  const waiting = 'Waiting for journal.json: it is missing or incomplete, and there are segments'
  await until(() => messages.includes(waiting))
  const half = '{"format":1,"journal_id":"te'
  writeFileSync(path, half)
  await until(() => messages.filter((message) => message === waiting).length === 2)
  writeSegment(workspace.journal, lines(requestLine('b')))
  renameSync(`${workspace.directory}/journal.json`, path)
  await until(() => count(workspace) === 2)
  await projector.stop()
  expect(messages.filter((message) => message === waiting)).toHaveLength(2)
})

test('a projector that starts beside a journal.json half written waits; one that projects once refuses', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  const path = join(workspace.journal, 'journal.json')
  renameSync(path, `${path}.whole`)
  writeFileSync(path, '')
  await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'JOURNAL_INVALID' })
  const projector = await startProjector(workspace)
  renameSync(`${path}.whole`, path)
  await until(() => count(workspace) === 1)
  await projector.stop()
})

/**
 * Starts a projector and then takes every descriptor that is free, also those that are let go later,
 * until the projector has said that there are none.
 */
const HOARDER = `
  import { closeSync, openSync, writeSync } from 'node:fs'
  import { startProjector } from ${JSON.stringify(join(PROGRAM, '../../projection/index.js'))}
  const [journal, database] = process.argv.slice(2)
  const hoard = []
  let quietTurns = 0
  let taking
  const take = () => {
    quietTurns++
    try { for (;;) { hoard.push(openSync('/dev/null')); quietTurns = 0 } } catch {}
    if (quietTurns === 20) writeSync(1, 'hoarding\\n')
  }
  const logger = { debug() {}, info() {}, error() {}, warn: ({ err }) => {
    clearInterval(taking)
    for (const fd of hoard.splice(0)) closeSync(fd)
    writeSync(1, 'waits for ' + (err?.cause?.code ?? err?.code) + '\\n')
  } }
  const projector = await startProjector({ journal, database, logger })
  projector.finished.catch((error) => { writeSync(1, 'ended: ' + error + '\\n'); process.exit(1) })
  process.stdin.once('data', () => { taking = setInterval(take, 2) })
  writeSync(1, 'ready\\n')
`

test('a process without a free descriptor waits for one', async ({ workspace, onTestFinished }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  const script = join(workspace.directory, 'hoarder.mjs')
  writeFileSync(script, HOARDER)
  const child = spawn(
    'sh',
    ['-c', 'ulimit -n 128; exec "$0" "$@"', process.execPath, script, workspace.journal, workspace.database],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  await until(() => stdout.includes('ready') && count(workspace) === 1)
  child.stdin.write('now\n')
  // A look that needs one already before the next segment says so too.
  await until(() => /hoarding|waits for|ended/.test(stdout))
  writeSegment(workspace.journal, lines(requestLine('b')), '2026-11-23.ndjson')
  await until(() => /waits for|ended/.test(stdout))
  expect(stdout).toContain('waits for EMFILE')
  await until(() => count(workspace) === 2 || stdout.includes('ended'))
  expect(stdout).not.toContain('ended')
  await end(child, 'SIGKILL')
})

const canSwitchUsers = process.getuid?.() === 0 && existsSync('/usr/bin/setpriv')

describe.skipIf(!canSwitchUsers)('a projector of another user (needs root and setpriv)', () => {
  const USER = 61_003

  test('waits while it may not enter the journal, and goes on when it may', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    for (const path of [workspace.directory, workspace.journal]) chownSync(path, USER, USER)
    for (const name of readdirSync(workspace.journal)) chownSync(join(workspace.journal, name), USER, USER)
    const user = [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups']
    const args = ['project', '--journal', workspace.journal, '--db', workspace.database]
    expect(spawnSync('setpriv', [...user, 'test', '-r', PROGRAM]).status).toBe(0)
    chmodSync(workspace.journal, 0)
    const daemon = spawn('setpriv', [...user, process.execPath, PROGRAM, ...args], { stdio: 'pipe' })
    let log = ''
    daemon.stderr.on('data', (chunk) => {
      log += chunk
    })
    const ended = once(daemon, 'exit').then(([status]) => {
      log += `ended with ${status}`
    })
    await until(() => /trying again|ended/.test(log))
    chmodSync(workspace.journal, 0o700)
    await until(() => log.includes('Caught up') || log.includes('ended'))
    chmodSync(workspace.journal, 0)
    await until(() => /trying again.*trying again|ended/s.test(log))
    chmodSync(workspace.journal, 0o700)
    appendFileSync(join(workspace.journal, DAY), lines(requestLine('b')))
    await until(() => count(workspace) === 2 || log.includes('ended'))
    expect(log.match(/trying again/g)).toHaveLength(2)
    expect(log).toContain('EACCES')
    await end(daemon)
    await ended
    expect(log).toContain('ended with 0')
  })
})
