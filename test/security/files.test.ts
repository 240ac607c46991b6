import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { segmentOf, utcDay } from '../../src/journal/segments.js'
import { status } from '../../src/maintenance/index.js'
import { openDatabase, projectOnce } from '../../src/projection/index.js'
import { acquireDatabaseLock, describeHolder, isLocked } from '../../src/store/sqlite/connection/lock.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { requestLog, test } from '../support/workspace.js'

const today = () => segmentOf(utcDay(Date.now()), 0).name
const mode = (path: string) => statSync(path).mode & 0o777

/** Everything but a regular file that may stand where one is expected; each is put at a path. */
const IMPOSTORS: [string, (path: string, elsewhere: string) => void][] = [
  ['a symbolic link to a file', (path, elsewhere) => symlinkSync(elsewhere, path)],
  ['a symbolic link to nowhere', (path, elsewhere) => symlinkSync(`${elsewhere}-gone`, path)],
  // Without O_NONBLOCK an open for reading would wait for a writer, and a write block once its buffer is full.
  ['a FIFO', (path) => execFileSync('mkfifo', [path])],
  ['a device', (path) => execFileSync('mknod', [path, 'c', '1', '3'])],
  ['a directory', (path) => mkdirSync(path)],
]
const canMakeDevices = process.getuid?.() === 0
const impostors = IMPOSTORS.filter(([name]) => canMakeDevices || name !== 'a device')

describe.for(impostors)('%s', ([, put]) => {
  test('in the place of a segment is neither written to nor read', async ({ workspace }) => {
    const { journal, database, directory } = workspace
    const elsewhere = join(directory, 'elsewhere')
    writeFileSync(elsewhere, 'not yours')
    await openJournal({ directory: journal }).close()
    const path = join(journal, today())
    unlinkSync(path)
    put(path, elsewhere)
    expect(() => openJournal({ directory: journal })).toThrow(/today|is a |is no |regular file/)
    await expect(projectOnce({ journal, database })).rejects.toMatchObject({ code: 'SEGMENT_UNREADABLE' })
    expect(readFileSync(elsewhere, 'utf8')).toBe('not yours')
    expect(readdirSync(directory)).not.toContain('elsewhere-gone')
  })

  test('that appears under a writer costs no request, and the journal goes on without it', async ({
    workspace,
  }) => {
    const { journal, directory } = workspace
    const elsewhere = join(directory, 'elsewhere')
    writeFileSync(elsewhere, '')
    const logged: string[] = []
    const logger = { warn: (_: object, text: string) => logged.push(text), error: () => {} }
    const writer = openJournal({ directory: journal, logger })
    const path = join(journal, today())
    unlinkSync(path)
    put(path, elsewhere)
    await expect(writer.flush()).rejects.toThrow()
    writer.record(requestLog())
    expect(writer.counters).toMatchObject({ buffered: 1, dropped: 0 })
    expect(logged).toContain('Failed to write request log to journal')
    renameSync(path, join(directory, 'impostor'))
    await writer.close().catch(() => writer.close())
    expect(writer.counters).toMatchObject({ appended: 1, buffered: 0, dropped: 0 })
    expect(readFileSync(elsewhere, 'utf8')).toBe('')
  })

  test('in the place of journal.json is refused at once', ({ workspace }) => {
    const { journal, database, directory } = workspace
    const elsewhere = join(directory, 'elsewhere')
    writeFileSync(
      elsewhere,
      '{"format":1,"journal_id":"of another","created_at":"2026-11-22T00:00:00.000Z"}\n',
    )
    mkdirSync(journal)
    put(join(journal, 'journal.json'), elsewhere)
    const refusal = expect.objectContaining({ code: 'JOURNAL_INVALID' })
    expect(() => openJournal({ directory: journal })).toThrow(refusal)
    expect(readdirSync(journal)).toEqual(['journal.json'])
    return expect(status({ journal, database })).rejects.toEqual(refusal)
  })

  test('in the place of the pid file is replaced, never followed or waited for', ({ workspace }) => {
    const { database, directory } = workspace
    const elsewhere = join(directory, 'elsewhere')
    writeFileSync(elsewhere, 'not yours')
    openDatabase(database).close()
    put(`${database}.pid`, elsewhere)
    const lock = acquireDatabaseLock(database, 'project')
    expect(isLocked(database)).toBe(true)
    // A directory stays; without the file's text the lock holds as well.
    const isDirectory = lstatSync(`${database}.pid`).isDirectory()
    const holder = isDirectory ? undefined : expect.stringContaining(`pid ${process.pid} on host`)
    expect(describeHolder(database)).toEqual(holder)
    lock.release()
    expect(readFileSync(elsewhere, 'utf8')).toBe('not yours')
  })
})

test('the journal’s directory itself may be a symbolic link', async ({ workspace }) => {
  const { journal, database, directory } = workspace
  mkdirSync(join(directory, 'disk'))
  symlinkSync(join(directory, 'disk'), journal)
  const writer = openJournal({ directory: journal })
  writer.append(requestLog())
  await writer.close()
  expect(await projectOnce({ journal, database })).toMatchObject({ projected: 1 })
})

test('a huge journal.json is not read', ({ workspace }) => {
  const { journal } = workspace
  mkdirSync(journal)
  writeFileSync(join(journal, 'journal.json'), '{')
  truncateSync(join(journal, 'journal.json'), 2 ** 40)
  expect(() => openJournal({ directory: journal })).toThrow(/larger than 65536 bytes/)
})

test('a marker that is there already is not written to, link or not', async ({ workspace }) => {
  const { journal, directory } = workspace
  const elsewhere = join(directory, 'elsewhere')
  writeFileSync(elsewhere, 'not yours')
  writeSegment(journal, lines(requestLine('a')), today())
  symlinkSync(elsewhere, join(journal, `${today()}.distrusted`))
  const writer = openJournal({ directory: journal })
  writer.append(requestLog())
  await writer.close()
  expect(readFileSync(elsewhere, 'utf8')).toBe('not yours')
  expect(workspace.segments()).toEqual([today(), segmentOf(utcDay(Date.now()), 1).name])
})

test.for([0o000, 0o022, 0o002, 0o777])(
  'all that is made is private with the umask %o',
  async (umask, { workspace }) => {
    const { directory } = workspace
    const journal = join(directory, 'new', 'journal')
    const database = join(directory, 'data', 'requests.db')
    const before = process.umask(umask)
    try {
      const writer = openJournal({ directory: journal })
      writer.append(requestLog())
      await writer.close()
      await projectOnce({ journal, database })
      const connection = openDatabase(database)
      const lock = acquireDatabaseLock(database, 'project')
      connection.exec('CREATE TABLE t (x)')
      for (const name of ['requests.db', 'requests.db-wal', 'requests.db-shm', 'requests.db.lock']) {
        expect([name, mode(join(directory, 'data', name))]).toEqual([name, 0o600])
      }
      connection.exec('DROP TABLE t')
      connection.close()
      lock.release()
    } finally {
      process.umask(before)
    }
    for (const name of readdirSync(journal)) expect([name, mode(join(journal, name))]).toEqual([name, 0o600])
    for (const folder of ['new', 'new/journal', 'data'])
      expect([folder, mode(join(directory, folder))]).toEqual([folder, 0o700])
    expect(readdirSync(join(directory, 'data')).filter((name) => name.endsWith('.tmp'))).toEqual([])
  },
)

test('a database that is there keeps its mode', ({ workspace }) => {
  const { database } = workspace
  openDatabase(database).close()
  chmodSync(database, 0o644)
  openDatabase(database).close()
  expect(mode(database)).toBe(0o644)
})

test('a database that a symbolic link promises is made private where the link leads', ({ workspace }) => {
  const { database, directory } = workspace
  symlinkSync('disk/target.db', join(directory, 'link.db'))
  mkdirSync(join(directory, 'disk'))
  symlinkSync(join(directory, 'link.db'), database)
  const before = process.umask(0o022)
  try {
    openDatabase(database).close()
  } finally {
    process.umask(before)
  }
  expect(mode(join(directory, 'disk/target.db'))).toBe(0o600)
  expect(readdirSync(join(directory, 'disk'))).toEqual(['target.db'])
})

test('a segment with a second name is read and written like any other', async ({ workspace }) => {
  const { journal, database, directory } = workspace
  writeSegment(journal, lines(requestLine('a')))
  linkSync(join(journal, DAY), join(directory, 'snapshot'))
  expect(await projectOnce({ journal, database })).toMatchObject({ projected: 1 })
})

test('a line of 256 MiB on stdin costs little memory, and the next one is appended', ({ workspace }) => {
  const { journal } = workspace
  const program = join(import.meta.dirname, '../../dist/cli/main.js')
  const event = JSON.stringify(requestLog())
  const huge = `head -c 268435456 /dev/zero`
  // Many whole events without a newline between them, 64 MiB.
  const stretches = `yes '${requestLine('a')}' | tr -d '\\n' | head -c 67108864`
  const input = `{ ${huge}; echo; ${stretches}; echo; echo '${event}'; }`
  const limits = 'ulimit -v 8388608;'
  const command = `${limits} ${input} | "${process.execPath}" --import "data:text/javascript,process.on('exit',()=>console.error('rss',process.resourceUsage().maxRSS))" "${program}" append --json --journal "${journal}"`
  const { stdout, stderr, status } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  expect({ status, ...JSON.parse(stdout) }).toMatchObject({ status: 1, appended: 1, refused: 2 })
  expect(stderr).toMatch(/^line 1: 268,435,457 bytes, at most 1,048,576 are allowed$/m)
  expect(Number(/rss (\d+)/.exec(stderr)?.[1])).toBeLessThan(400_000)
})
