import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { projectOnce } from '../../../src/projection/index.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { type Fault, type Place, type Round, survived, type Verdict, wrong } from '../fault.js'
import { compareNow, countRows, judge, query, until } from '../judge.js'
import { command, type Program, script, startDaemon } from '../program.js'
import { onSmallDisk, whyNoMount } from './disk.js'
import { gone } from './processes.js'

const paths = ({ journal, database }: { journal: string; database: string }) => [
  '--journal',
  journal,
  '--db',
  database,
]

function fill(place: { journal: string }, count: number, prefix: string): string[] {
  const ids = Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
  writeSegment(place.journal, lines(...ids.map((id) => requestLine(id))))
  return ids
}

function replaceBy(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

const A = requestLine('a')
const B = requestLine('b')
const C = requestLine('c')

/** A projector that looks while a file is written over may find it empty. */
const REGROWN = /is not there any more|it was truncated/

/**
 * What is done to a segment of three lines that was projected, and by which words the projector must stop.
 */
const DAMAGES: [string, RegExp, (path: string) => void][] = [
  ['truncated', /it was truncated/, (path) => truncateSync(path, A.length + 1)],
  ['emptied', /it was truncated/, (path) => truncateSync(path, 0)],
  ['truncated and grown', REGROWN, (path) => writeFileSync(path, lines(A, B, requestLine('x')))],
  ['copied over', REGROWN, (path) => writeFileSync(path, lines(C, B, A))],
  [
    'replaced by a longer one',
    /not a faithful copy/,
    (path) => replaceBy(path, lines(B, A, C, requestLine('z'))),
  ],
  ['removed', /the segment is gone/, (path) => rmSync(path)],
  ['renamed', /the segment is gone/, (path) => renameSync(path, `${path}.old`)],
  [
    'symlinked',
    /symbolic link/,
    (path) => {
      // At once: between a removal and a new name the daemon may see that the segment is gone.
      linkSync(path, `${path}.target`)
      symlinkSync(`${path}.target`, `${path}.link`)
      renameSync(`${path}.link`, path)
    },
  ],
]

export const segment: Fault = {
  name: 'segment',
  testedIn: 'test/projection/segments/segment-check.test.ts',
  title: 'segment truncated, regrown, replaced, copied over, removed, symlinked; daemon running or not',
  run: async (round) => {
    for (const [name, message, damage] of round.isShort ? [round.random.pick(DAMAGES)] : DAMAGES) {
      for (const isRunning of [true, false]) {
        await round.trial(`${name}, daemon ${isRunning ? 'running' : 'stopped'}`, (place) =>
          damageSegment(place, { message, damage, isRunning }),
        )
      }
    }
  },
}

async function damageSegment(
  place: Place,
  { message, damage, isRunning }: { message: RegExp; damage: (path: string) => void; isRunning: boolean },
): Promise<Verdict> {
  writeSegment(place.journal, lines(A, B, C))
  let daemon = await startDaemon(place)
  await until(() => countRows(place.database) === 3, gone(daemon))
  const before = JSON.stringify(query(place.database, 'SELECT * FROM requests'))
  const path = join(place.journal, DAY)
  if (!isRunning) await daemon.end()
  damage(path)
  if (!isRunning) daemon = place.keep(command(['project', ...paths(place)]))
  const status = await daemon.exited
  if (status !== 1) return wrong(`the daemon ended with ${status}`)
  if (!message.test(daemon.stderr)) return wrong(`expected ${message}: ${daemon.stderr}`)
  if (!/put|bring/.test(daemon.stderr) && !/regular file/.test(daemon.stderr)) return wrong('not what to do')
  const isSame = JSON.stringify(query(place.database, 'SELECT * FROM requests')) === before
  return isSame ? survived() : wrong('something wrong was projected')
}

export const removed: Fault = {
  name: 'removed',
  title: 'a segment removed under a writer',
  run: async (round) => {
    await round.trial('a segment taken away', async (place) => {
      const writer = place.keep(script('steady-writer.mjs', [place.journal, 'w', '3']))
      await writer.until(() => writer.lines.length > round.random.between(5, 300), 'the removal')
      const name = `${new Date().toISOString().slice(0, 10)}.ndjson`
      const away = join(place.directory, 'away.ndjson')
      // Kept elsewhere, to count what went into it.
      renameSync(join(place.journal, name), away)
      const removedAt = statSync(away).ctimeMs
      await writer.until(() => /error: Journal segment lost/.test(writer.stdout), 'it has said so')
      await writer.until(() => writer.lines.length > 400, 'it goes on')
      writer.process.stdin?.end()
      await writer.exited
      if (!writer.lines.includes('flush: SEGMENT_LOST')) return wrong('no flush rejected')
      const taken = readFileSync(away, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
      const late = taken.filter(({ timestamp }) => Date.parse(timestamp) > removedAt + 1000)
      const there = new Set(taken.map(({ correlation_id }) => correlation_id))
      const promised = writer.lines.filter((line) => /^w-\d+$/.test(line) && !there.has(line))
      const verdict = await judge(place, promised)
      if (late.length > 0) verdict.wrong.push(`${late.length} events more than a second after the removal`)
      return verdict
    })
  },
}

/** What the daemon may do about a database that fails: go on when it is well again, or stop and say what to do. */
async function afterwards(place: Place, daemon: Program, ids: string[], mayStop: RegExp): Promise<Verdict> {
  ids.push(...fill(place, 50, 'after'))
  await until(() => daemon.isGone || countRowsOrNone(place.database) >= ids.length)
  if (!daemon.isGone) {
    await daemon.end()
    return judge(place, ids, { withReplay: true })
  }
  if (!mayStop.test(daemon.stderr)) return wrong(`it stopped without saying what to do: ${daemon.stderr}`)
  return heal(place, ids)
}

function countRowsOrNone(database: string): number {
  return existsSync(database) ? countRows(database) : -1
}

/** As the messages say: replay; where the file can't be used, move it away and replay. */
async function heal(place: Place, ids: string[]): Promise<Verdict> {
  const replay = place.keep(command(['replay', ...paths(place)]))
  if ((await replay.exited) !== 0 || !isSound(place.database)) {
    if (replay.stderr !== '' && !/replay|move/.test(replay.stderr))
      return wrong(`not what to do: ${replay.stderr}`)
    mkdirSync(join(place.directory, 'old'))
    for (const suffix of ['', '-wal', '-shm']) {
      const file = place.database + suffix
      if (existsSync(file)) renameSync(file, join(place.directory, 'old', `requests.db${suffix}`))
    }
    const again = place.keep(command(['replay', ...paths(place)]))
    if ((await again.exited) !== 0) return wrong(`replay does not heal: ${again.stderr}`)
  }
  return compareNow(place, ids)
}

function isSound(path: string): boolean {
  const database = new SQLite(path, { readonly: true })
  try {
    return database.pragma('integrity_check', { simple: true }) === 'ok'
  } catch {
    return false
  } finally {
    database.close()
  }
}

async function running(place: Place): Promise<{ daemon: Program; ids: string[] }> {
  const ids = fill(place, 300, 'before')
  const daemon = await startDaemon(place)
  await until(() => countRows(place.database) === ids.length, gone(daemon))
  return { daemon, ids }
}

const REFUSES = /be written to for now/

const DATABASE_FAULTS: [string, (place: Place, round: Round) => Promise<Verdict>][] = [
  [
    'locked for a while',
    async (place, round) => {
      const { daemon, ids } = await running(place)
      const other = new SQLite(place.database)
      other.exec('BEGIN IMMEDIATE')
      ids.push(...fill(place, 50, 'meanwhile'))
      await daemon.until(() => REFUSES.test(daemon.stderr), 'it warns')
      await sleep(round.random.between(0, 500))
      other.exec('ROLLBACK')
      other.close()
      return afterwards(place, daemon, ids, /never/)
    },
  ],
  [
    'deleted',
    async (place) => {
      const { daemon, ids } = await running(place)
      for (const suffix of ['', '-wal', '-shm']) rmSync(place.database + suffix, { force: true })
      return afterwards(place, daemon, ids, /start the projector again/)
    },
  ],
  [
    'replaced by another database',
    async (place) => {
      const { daemon, ids } = await running(place)
      const other = new SQLite(`${place.database}.other`)
      other.exec('CREATE TABLE t (a)')
      other.close()
      for (const suffix of ['-wal', '-shm']) rmSync(place.database + suffix, { force: true })
      renameSync(`${place.database}.other`, place.database)
      return afterwards(place, daemon, ids, /start the projector again/)
    },
  ],
  [
    'overwritten with garbage',
    async (place, round) => {
      const { daemon, ids } = await running(place)
      // Wherever it hits: the header, a table, an index, the WAL.
      const file = round.random.pick([place.database, `${place.database}-wal`])
      const fd = openSync(file, 'r+')
      const garbage = Buffer.from(Array.from({ length: 8192 }, () => round.random.between(0, 255)))
      const last = Math.max(0, statSync(file).size - garbage.length)
      writeSync(fd, garbage, 0, garbage.length, round.random.pick([0, round.random.between(0, last)]))
      closeSync(fd)
      ids.push(...fill(place, 50, 'meanwhile'))
      // It may not notice: the pages it needs are in its memory. Then whoever reads will.
      const hasCaughtUp = () => daemon.isGone || REFUSES.test(daemon.stderr) || seesRows(place, ids.length)
      const noticedBy = performance.now() + (round.isShort ? 500 : 3000)
      await until(() => hasCaughtUp() || performance.now() > noticedBy)
      await daemon.end()
      return heal(place, ids)
    },
  ],
]

function seesRows(place: Place, count: number): boolean {
  return countRows(place.database) >= count
}

const MOUNTED_FAULTS: typeof DATABASE_FAULTS = [
  [
    'read-only at its start',
    (place) =>
      onSmallDisk(place, 16, async ({ directory }) => {
        const there = { ...place, database: join(directory, 'requests.db') }
        const ids = fill(there, 300, 'before')
        await projectOnce(there)
        // While a file is open for writing the kernel refuses this.
        const remount = (mode: string) => execFileSync('mount', ['-o', `remount,${mode}`, directory])
        remount('ro')
        ids.push(...fill(there, 50, 'meanwhile'))
        const refused = place.keep(command(['project', ...paths(there)]))
        const status = await refused.exited
        remount('rw')
        if (status !== 1 || !/can't be written|permissions|check the disk/.test(refused.stderr)) {
          return wrong(`expected a refusal that says what to do: ${status}, ${refused.stderr}`)
        }
        return judge(there, ids, { withReplay: true })
      }),
  ],
  [
    'on a full disk for a while',
    (place, round) =>
      onSmallDisk(place, 16, async (disk) => {
        const there = { ...place, database: join(disk.directory, 'requests.db') }
        const { daemon, ids } = await running(there)
        disk.fill(round.random.between(0, 20) * 4096)
        for (let i = 0; !REFUSES.test(daemon.stderr) && !daemon.isGone; i++) {
          ids.push(...fill(there, 200, `full-${i}`))
          await sleep(20)
        }
        disk.free()
        return afterwards(there, daemon, ids, /check the disk/)
      }),
  ],
]

/** These `npm test` has in test/projection/projector.test.ts already. */
const IN_PROJECTOR_TEST = ['locked for a while', 'deleted']

export const database: Fault = {
  name: 'database',
  title: 'database locked, deleted, replaced, overwritten with garbage while the daemon runs',
  run: async (round) => {
    for (const [name, act] of DATABASE_FAULTS) {
      if (round.isShort && IN_PROJECTOR_TEST.includes(name)) continue
      const times = name.includes('garbage') && !round.isShort ? 6 : 1
      for (let i = 0; i < times; i++) await round.trial(name, (place) => act(place, round))
    }
  },
}

export const databaseDisk: Fault = {
  name: 'database-disk',
  title: 'the disk of the database full or read-only (tmpfs) while the daemon runs',
  whyNot: whyNoMount,
  run: async (round) => {
    for (const [name, act] of MOUNTED_FAULTS) await round.trial(name, (place) => act(place, round))
  },
}
