import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { listSegments } from '../../src/journal/segments.js'
import { archiveWith } from '../../src/maintenance/archive.js'
import { openDatabase, projectOnce } from '../../src/projection/index.js'
import { acquireDatabaseLock, acquireImportLock } from '../../src/store/sqlite/connection/lock.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { requestLog, test } from '../support/workspace.js'

const PROGRAM = join(import.meta.dirname, '../../dist/cli/main.js')
const isRoot = process.getuid?.() === 0
const canSwitchUsers = isRoot && existsSync('/usr/bin/setpriv')

const GATEWAY = 61_001
const PROJECTOR = 61_002
const GROUP = 61_000

/** Runs the program as a user that is a member of the group, but has a primary group of its own. */
function runAs(uid: number, args: readonly string[], input = '') {
  const user = [`--reuid=${uid}`, `--regid=${uid}`, `--groups=${GROUP}`]
  const { status, stdout, stderr } = spawnSync('setpriv', [...user, process.execPath, PROGRAM, ...args], {
    input,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

function owners(directory: string): [string, number, number][] {
  return readdirSync(directory).map((name) => {
    const { uid, gid } = statSync(join(directory, name))
    return [name, uid, gid]
  })
}

describe.skipIf(!isRoot)('what root makes (needs root)', () => {
  test('in the journal of another user belongs to that user: segments, manifest, archives', async ({
    workspace,
  }) => {
    const { journal } = workspace
    writeSegment(journal, lines(requestLine('a')), '2024-11-22.ndjson')
    writeSegment(journal, lines(requestLine('b')), '2024-11-23.ndjson')
    for (const path of [journal, ...readdirSync(journal).map((name) => join(journal, name))]) {
      chownSync(path, GATEWAY, GATEWAY)
    }
    const writer = openJournal({ directory: journal })
    writer.append(requestLog())
    await writer.close()
    await projectOnce(workspace)
    await archiveWith(workspace, { noticeMs: 1, onStep() {} })
    const made = owners(journal)
    expect(made.map(([name]) => name)).toEqual(
      expect.arrayContaining(['2024-11-22.ndjson.gz', 'manifest.jsonl', 'manifest.jsonl.lock']),
    )
    for (const [name, ...owner] of made) expect([name, ...owner]).toEqual([name, GATEWAY, GATEWAY])
    if (!canSwitchUsers) return
    // As an older version left them.
    const newest = listSegments(journal).at(-1)?.name ?? ''
    for (const name of ['2024-11-22.ndjson.gz', newest, 'manifest.jsonl.lock']) {
      chownSync(join(journal, name), 0, 0)
      chmodSync(join(journal, name), 0o600)
    }
    chownSync(workspace.directory, GATEWAY, GATEWAY)
    for (const [name] of owners(workspace.directory))
      chownSync(join(workspace.directory, name), GATEWAY, GATEWAY)
    const { status, stdout } = runAs(GATEWAY, [
      'doctor',
      '--json',
      '--journal',
      journal,
      '--db',
      workspace.database,
    ])
    expect(status).toBe(1)
    chownSync(workspace.database, 0, 0)
    const { stderr } = runAs(GATEWAY, ['stats', '--db', workspace.database])
    expect(stderr).toContain('this user may not read the file: run this as its owner')
    const problems = JSON.parse(stdout).checks.filter(({ level }: { level: string }) => level === 'problem')
    expect(problems).toMatchObject([
      { check: 'journal_lock' },
      {
        check: 'segment_files',
        items: [
          expect.stringMatching(/EACCES.*2024-11-22\.ndjson\.gz/),
          expect.stringContaining(`${newest}'`),
        ],
      },
    ])
  })

  test('in the folder of another user belongs to that user: the database and its lock', ({ workspace }) => {
    const data = join(workspace.directory, 'data')
    mkdirSync(data)
    chownSync(data, PROJECTOR, PROJECTOR)
    const database = join(data, 'requests.db')
    const connection = openDatabase(database)
    const lock = acquireDatabaseLock(database, 'project')
    connection.exec('CREATE TABLE t (x)')
    for (const [name, ...owner] of owners(data).filter(([name]) => !name.endsWith('.pid'))) {
      expect([name, ...owner]).toEqual([name, PROJECTOR, PROJECTOR])
    }
    lock.release()
    connection.close()
  })
})

describe.skipIf(!canSwitchUsers)('a group that shares a journal (needs root and setpriv)', () => {
  test('keeps its folder’s setgid bit, and serves a gateway and a projector of two users', ({
    workspace,
  }) => {
    const { directory } = workspace
    chmodSync(directory, 0o755)
    const shared = join(directory, 'shared')
    mkdirSync(shared)
    chownSync(shared, GATEWAY, GROUP)
    chmodSync(shared, 0o2770)
    const journal = join(shared, 'journal')
    const gateway = join(directory, 'gateway.mjs')
    const library = join(import.meta.dirname, '../../dist/index.js')
    writeFileSync(
      gateway,
      `import { openJournal } from ${JSON.stringify(library)}
       const journal = openJournal({ directory: ${JSON.stringify(journal)}, mode: 0o660 })
       journal.append(${JSON.stringify(requestLog())})
       await journal.close()`,
    )
    const user = [`--reuid=${GATEWAY}`, `--regid=${GATEWAY}`, `--groups=${GROUP}`]
    const written = spawnSync('setpriv', [...user, process.execPath, gateway], { encoding: 'utf8' })
    expect(written).toMatchObject({ status: 0, stderr: '' })
    expect(statSync(journal).mode & 0o7777).toBe(0o2770)
    for (const [name, uid, gid] of owners(journal)) expect([name, uid, gid]).toEqual([name, GATEWAY, GROUP])
    const data = join(directory, 'data')
    mkdirSync(data)
    chownSync(data, PROJECTOR, PROJECTOR)
    const database = join(data, 'requests.db')
    const both = ['--journal', journal, '--db', database]
    expect(runAs(PROJECTOR, ['project', '--once', '--log-level', 'error', ...both])).toMatchObject({
      status: 0,
      stderr: '',
    })
    // A projector’s user and root may append too, into a segment of their own, and the gateway goes on with what that left.
    const event = `${JSON.stringify(requestLog())}\n`
    const appendAsRoot = () =>
      spawnSync(process.execPath, [PROGRAM, 'append', '--journal', journal], { input: event })
    for (const append of [() => runAs(PROJECTOR, ['append', '--journal', journal], event), appendAsRoot]) {
      const newest = listSegments(journal).at(-1)
      writeFileSync(join(journal, `${newest?.name}.distrusted`), '')
      expect(append()).toMatchObject({ status: 0 })
      expect(spawnSync('setpriv', [...user, process.execPath, gateway])).toMatchObject({ status: 0 })
    }
    expect(runAs(PROJECTOR, ['project', '--once', '--log-level', 'error', ...both])).toMatchObject({
      status: 0,
    })
    expect(runAs(PROJECTOR, ['verify', ...both])).toMatchObject({ status: 0 })
  })

  test('serves both users from `init --mode 660` on, whoever of them writes first', ({ workspace }) => {
    const { directory } = workspace
    chmodSync(directory, 0o755)
    const shared = join(directory, 'shared')
    mkdirSync(shared)
    chownSync(shared, GATEWAY, GROUP)
    chmodSync(shared, 0o2770)
    const journal = join(shared, 'journal')
    const made = spawnSync(process.execPath, [PROGRAM, 'init', '--journal', journal, '--mode', '660'])
    expect(made.status).toBe(0)
    expect(owners(shared)).toEqual([['journal', GATEWAY, GROUP]])
    const event = `${JSON.stringify(requestLog())}\n`
    for (const user of [PROJECTOR, GATEWAY]) {
      expect(runAs(user, ['append', '--journal', journal], event)).toMatchObject({ status: 0 })
    }
    expect(owners(journal)).toEqual(
      expect.arrayContaining([[`${listSegments(journal)[0]?.name}`, PROJECTOR, GROUP]]),
    )
    // Either may import: the lock of the first would keep the other out, and stop a backup at
    // night.
    acquireImportLock(journal).release()
    expect(owners(journal)).toContainEqual(['journal.json.lock', GATEWAY, GROUP])
    expect(statSync(join(journal, 'journal.json.lock')).mode & 0o777).toBe(0o660)
  })
})
