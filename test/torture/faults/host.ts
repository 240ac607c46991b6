import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { PROGRAM } from '../../support/program.js'
import { combined, type Fault, type Place, survived, type Verdict, wrong } from '../fault.js'
import { compareNow, countRows, judge, until } from '../judge.js'
import { command, Program, script, startDaemon } from '../program.js'
import type { Random } from '../random.js'
import { onSmallDisk, whyNoMount } from './disk.js'
import { gone } from './processes.js'

/** Neither root nor anybody else: a user for whom permissions count. */
const USER = 61_003

const paths = ({ journal, database }: { journal: string; database: string }) => [
  ...['--journal', journal],
  ...['--db', database],
]

/** Appends to segments of several days, as a writer would over days, and remembers what was promised. */
class Lines {
  readonly promised: string[] = []
  readonly #journal: string
  readonly #prefix: string
  readonly #fields: Record<string, unknown>

  constructor(journal: string, prefix = 'r', fields: Record<string, unknown> = {}) {
    this.#journal = journal
    this.#prefix = prefix
    this.#fields = fields
  }

  add(count: number, day = '2026-11-22'): void {
    const ids = Array.from({ length: count }, (_, i) => `${this.#prefix}-${this.promised.length + i}`)
    writeSegment(this.#journal, lines(...ids.map((id) => requestLine(id, this.#fields))), `${day}.ndjson`)
    this.promised.push(...ids)
  }
}

/** A temporary fault, put in and taken out some times while lines come and the daemon runs. */
async function amongPassingFaults(
  place: Place,
  daemon: Program,
  random: Random,
  fault: { start(): void; end(): void; turns: number; canAppendMeanwhile: boolean },
): Promise<Verdict> {
  const appended = new Lines(place.journal)
  for (let turn = 0; turn < fault.turns; turn++) {
    appended.add(random.between(1, 30))
    fault.start()
    if (fault.canAppendMeanwhile) appended.add(random.between(1, 30))
    await sleep(random.between(0, 1500))
    fault.end()
    appended.add(random.between(1, 30))
    await until(() => countRows(place.database) === appended.promised.length, gone(daemon))
  }
  const status = await daemon.end()
  const verdict = compareNow(place, appended.promised)
  return status === 0
    ? verdict
    : combined(verdict, wrong(`the daemon ended with ${status}: ${daemon.stderr}`))
}

export const journalAway: Fault = {
  name: 'journal-away',
  testedIn: 'test/projection/transient-faults.test.ts',
  title: 'the journal’s directory, or its journal.json, moved away and back while the daemon runs',
  run: async (round) => {
    const { random } = round
    for (const what of round.isShort ? [random.pick(['.', 'journal.json'])] : ['.', 'journal.json']) {
      await round.trial(`${what} away`, async (place) => {
        writeSegment(place.journal, '')
        const path = join(place.journal, what)
        const away = join(place.directory, 'away')
        return await amongPassingFaults(place, await startDaemon(place), random, {
          start: () => renameSync(path, away),
          end: () => renameSync(away, path),
          turns: round.isShort ? 1 : 4,
          canAppendMeanwhile: false,
        })
      })
    }
  },
}

/** The daemon as a user whom permissions stop; everything of the trial belongs to that user. */
async function startDaemonAsUser(place: Place): Promise<Program> {
  chownSync(place.directory, USER, USER)
  writeSegment(place.journal, '')
  for (const path of [
    place.journal,
    ...readdirSync(place.journal).map((name) => join(place.journal, name)),
  ]) {
    chownSync(path, USER, USER)
  }
  const asUser = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups']
  const daemon = place.keep(new Program(PROGRAM, ['project', ...paths(place)], {}, asUser))
  await daemon.said(/Projecting|Waiting for a journal/)
  return daemon
}

export const permissions: Fault = {
  name: 'permissions',
  testedIn: 'test/projection/transient-faults.test.ts',
  title:
    'permissions of the journal’s directory or a segment taken away and given back; daemon of another user',
  whyNot: () => whyNoMount() ?? (existsSync('/usr/bin/setpriv') ? null : 'setpriv is missing'),
  run: async (round) => {
    const { random } = round
    const targets = ['.', '2026-11-22.ndjson', 'journal.json']
    for (const target of round.isShort ? [random.pick(targets)] : targets) {
      await round.trial(`chmod 000 ${target}`, async (place) => {
        const daemon = await startDaemonAsUser(place)
        const path = join(place.journal, target)
        return await amongPassingFaults(place, daemon, random, {
          start: () => chmodSync(path, 0o000),
          end: () => chmodSync(path, target === '.' ? 0o755 : 0o644),
          turns: round.isShort ? 1 : 4,
          // As root, whom no permission stops.
          canAppendMeanwhile: true,
        })
      })
    }
  },
}

export const descriptors: Fault = {
  name: 'descriptors',
  testedIn: 'test/projection/transient-faults.test.ts',
  title: 'no descriptor left to the daemon for a while (EMFILE)',
  whyNot: () => (existsSync('/usr/bin/prlimit') ? null : 'prlimit is missing'),
  run: async (round) => {
    await round.trial('EMFILE', async (place) => {
      writeSegment(place.journal, '')
      const daemon = await startDaemon(place)
      const limit = (files: string) =>
        execFileSync('prlimit', ['--pid', `${daemon.process.pid}`, `--nofile=${files}`])
      return await amongPassingFaults(place, daemon, round.random, {
        start: () => limit('3:'),
        end: () => limit('1024:'),
        turns: round.isShort ? 1 : 6,
        canAppendMeanwhile: true,
      })
    })
  },
}

export const mount: Fault = {
  name: 'mount',
  title: 'another volume mounted over the journal under a writer and the daemon, and taken off again',
  whyNot: whyNoMount,
  run: async (round) => {
    for (let turn = 0; turn < (round.isShort ? 1 : 4); turn++) {
      await round.trial(`mount ${turn}`, (place) => mountOver(place, round.random))
    }
  },
}

async function mountOver(place: Place, random: Random): Promise<Verdict> {
  const writer = place.keep(script('steady-writer.mjs', [place.journal, 'w', '3']))
  await writer.until(() => writer.lines.length > random.between(1, 100), 'it has begun')
  const daemon = await startDaemon(place)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'request-journal-torture', place.journal])
  try {
    await writer.until(() => /(warning|error): /.test(writer.stdout), 'it has said so')
    await sleep(random.between(0, 500))
  } finally {
    execFileSync('umount', ['-l', place.journal])
  }
  const seen = writer.lines.length
  await writer.until(() => writer.lines.length > seen + 50, 'it goes on')
  writer.process.stdin?.end()
  await writer.exited
  const promised = writer.lines.filter((line) => /^w-\d+$/.test(line))
  await until(() => countRows(place.database) >= promised.length, gone(daemon))
  await daemon.end()
  return await judge(place, promised)
}

export const log: Fault = {
  name: 'log',
  title: 'the daemon’s own log on a full device, or in a pipe that nobody reads',
  run: async (round) => {
    await round.trial('stderr full', async (place) => {
      const appended = new Lines(place.journal)
      appended.add(100)
      const args = ['project', '--log-level', 'trace', ...paths(place)]
      const onFullDevice = ['sh', '-c', 'exec "$0" "$@" 2>/dev/full']
      return await projectsAndEnds(place, place.keep(new Program(PROGRAM, args, {}, onFullDevice)), appended)
    })
    await round.trial('stderr not read', async (place) => {
      const appended = new Lines(place.journal)
      appended.add(100)
      const daemon = place.keep(command(['project', '--log-level', 'trace', ...paths(place)]))
      daemon.process.stderr?.pause()
      return await projectsAndEnds(place, daemon, appended)
    })
  },
}

async function projectsAndEnds(place: Place, daemon: Program, appended: Lines): Promise<Verdict> {
  // Each batch is a line of the log: more than a pipe holds.
  for (let batch = 0; batch < 400; batch++) {
    appended.add(1)
    if (batch % 20 === 0) await sleep(1)
  }
  await until(() => countRows(place.database) === appended.promised.length, gone(daemon))
  daemon.process.stderr?.resume()
  const status = await daemon.end()
  const verdict = compareNow(place, appended.promised)
  return status === 0 ? verdict : combined(verdict, wrong(`the daemon ended with ${status}`))
}

export const partialRestore: Fault = {
  name: 'partial-restore',
  title: 'a journal restored without some of its sealed segments, into a new database',
  testedIn: 'test/projection/segments/partial-restore.test.ts',
  run: async (round) => {
    await round.trial('segments missing', async (place) => {
      const { random } = round
      const appended = new Lines(place.journal)
      const days = ['2024-01-01', '2024-01-02', '2024-01-03', '2024-01-04', '2024-01-05']
      for (const day of days) appended.add(random.between(1, 20), day)
      // The first run seals them.
      await command(['project', '--once', ...paths(place)]).exited
      const taken = days.slice(0, -1).filter(() => random.chance(0.5))
      if (taken.length === 0) taken.push('2024-01-02')
      const away = join(place.directory, 'away')
      mkdirSync(away)
      const move = (from: string, to: string) => {
        for (const day of taken) renameSync(join(from, `${day}.ndjson`), join(to, `${day}.ndjson`))
      }
      move(place.journal, away)
      for (const ending of ['', '-wal', '-shm']) rmSync(`${place.database}${ending}`, { force: true })
      const verdict = await refuses(place, taken)
      move(away, place.journal)
      return combined(verdict, await judge(place, appended.promised, { withReplay: true }))
    })
  },
}

/** Every command that would give wrong rows, or say that all is well, names what is missing. */
async function refuses(place: Place, taken: readonly string[]): Promise<Verdict> {
  const verdicts: Verdict[] = []
  for (const args of [['project', '--once'], ['replay'], ['status'], ['doctor'], ['verify']]) {
    const run = place.keep(command([...args, ...paths(place)]))
    const status = await run.exited
    const isNamed = taken.some((day) => `${run.stdout}${run.stderr}`.includes(day))
    verdicts.push(status === 1 && isNamed ? survived() : wrong(`${args[0]} exits ${status}: ${run.stderr}`))
  }
  if (countRows(place.database) > 0) verdicts.push(wrong('a partial database was made'))
  return combined(...verdicts)
}

export const temporaryFull: Fault = {
  name: 'temporary-full',
  title: 'the system’s temporary folder full while a large backlog is brought in',
  whyNot: whyNoMount,
  testedIn: 'test/store/sqlite/connection/temporary-folder.test.ts',
  run: async (round) => {
    await round.trial('TMPDIR full', (place) =>
      onSmallDisk(place, 1, async (small) => {
        small.fill(0)
        // More than 64 MiB, so that it is brought in at once; the sorted index takes more than SQLite's cache.
        const appended = new Lines(place.journal, 'x'.repeat(900), { padding: 'x'.repeat(1200) })
        for (let day = 1; day <= 9; day++) appended.add(3500, `2024-01-0${day}`)
        const run = place.keep(command(['project', '--once', ...paths(place)], { TMPDIR: small.directory }))
        const status = await run.exited
        const verdict = compareNow(place, appended.promised)
        return status === 0 ? verdict : combined(verdict, wrong(`exit ${status}: ${run.stderr}`))
      }),
    )
  },
}
