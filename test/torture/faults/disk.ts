import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Journal, openJournal, openJournalWith } from '../../../src/journal/append/journal.js'
import { type Effect, FaultyFileSystem } from '../../support/faulty-file-system.js'
import { combined, type Fault, type Place, type Round, type Verdict, wrong } from '../fault.js'
import { judge, query } from '../judge.js'
import type { Random } from '../random.js'

const NOON = Date.parse('2026-11-22T12:00:00Z')

interface Writer {
  name: string
  journal: Journal
  faulty: FaultyFileSystem
  clock: { time: number }
  /** Was said: a drop has to be. */
  warnings: number
  recorded: string[]
  /** Of which `append` threw: there at most once. */
  refused: Set<string>
}

function openWriter(place: Place, name: string, bufferBytes: number): Writer {
  const faulty = new FaultyFileSystem()
  const clock = { time: NOON }
  const count = () => void writer.warnings++
  const logger = { warn: count, error: count }
  const options = { directory: place.journal, logger, fsync: 'no' as const, bufferBytes }
  const journal = openJournalWith(options, { fs: faulty.fs, clock: { now: () => clock.time } })
  const writer: Writer = {
    name,
    journal,
    faulty,
    clock,
    warnings: 0,
    recorded: [],
    refused: new Set(),
  }
  return writer
}

/** How a write fails: refused, or taken up to any byte, the newline's too. */
function writeFault(random: Random): Effect {
  return random.pick<Effect>([
    { error: 'ENOSPC' },
    { error: 'EIO' },
    { error: 'EDQUOT' },
    { takes: random.between(0, 250) },
    { leaves: random.between(0, 250) },
    { leaves: 1 },
  ])
}

function add(writer: Writer, random: Random): void {
  const id = `${writer.name}-${writer.recorded.length}`
  const event = {
    correlation_id: id,
    model: 'é€😀'.slice(0, random.between(1, 4)),
    latency_ms: 1,
    success: true,
  }
  if (random.chance(0.7)) writer.journal.record(event)
  else {
    try {
      writer.journal.append(event)
    } catch {
      writer.refused.add(id)
    }
  }
  writer.recorded.push(id)
}

async function step(writers: Writer[], random: Random, syncsFail: boolean): Promise<void> {
  const writer = random.pick(writers)
  const { faulty, clock, journal } = writer
  const times = random.pick([1, 1, 2, 5, Number.POSITIVE_INFINITY])
  const what = random.fraction()
  if (what < 0.6) add(writer, random)
  else if (what < 0.75) faulty.add({ call: 'writeSync', effect: writeFault(random), times })
  else if (what < 0.78) {
    faulty.add({
      call: random.pick(['openSync', 'readdirSync', 'fstatSync']),
      effect: { error: 'EIO' },
      file: /./,
    })
  } else if (what < 0.86) faulty.heal()
  else if (what < 0.93) clock.time += random.pick([10, 100, 1000, 60_000])
  else {
    if (syncsFail && random.chance(0.5)) faulty.add({ call: 'fdatasync', effect: { error: 'EIO' }, times: 1 })
    await journal.flush().catch(() => {})
  }
}

async function writeAmongFaults(
  place: Place,
  random: Random,
  options: { syncsFail: boolean; bufferBytes: number; steps: number },
): Promise<Verdict> {
  const writers = ['a', 'b', 'c'].map((name) => openWriter(place, name, options.bufferBytes))
  for (let i = 0; i < options.steps; i++) await step(writers, random, options.syncsFail)
  const verdicts: Verdict[] = []
  for (const writer of writers) {
    writer.faulty.heal()
    writer.clock.time += 1000
    // A failed sync is said once; then what is left goes through.
    await writer.journal.close().catch(() => writer.journal.close())
    verdicts.push(countersOf(writer))
  }
  const promised = writers.flatMap(({ recorded, refused }) => recorded.filter((id) => !refused.has(id)))
  const verdict = await judge(place, promised, { withReplay: true })
  const dropped = writers.reduce((sum, { journal }) => sum + journal.counters.dropped, 0)
  // Over the bound a loss is counted, so never silent. One too many may be: a dropped event of which only the newline
  // was missing is completed by the next line.
  if (verdict.lost.length <= dropped) verdict.lost = []
  else verdict.wrong.push(`${verdict.lost.length} events are gone, ${dropped} were counted as dropped`)
  const written = new Set(
    query(place.database, 'SELECT correlation_id AS name FROM requests').map((r) => r['name']),
  )
  for (const writer of writers) verdicts.push(orderOf(writer, place, written))
  return combined(verdict, ...verdicts)
}

function countersOf({ name, journal, warnings }: Writer): Verdict {
  const { buffered, dropped } = journal.counters
  if (buffered > 0) return wrong(`${name}: ${buffered} events are still in memory after close`)
  if (dropped > 0 && warnings === 0) return wrong(`${name}: ${dropped} events dropped in silence`)
  return combined()
}

function orderOf({ name, recorded }: Writer, place: Place, written: Set<unknown>): Verdict {
  const sql = `SELECT correlation_id AS name FROM requests WHERE correlation_id LIKE '${name}-%'
    ORDER BY segment_id, byte_offset`
  const found = query(place.database, sql).map((row) => row['name'])
  const expected = recorded.filter((id) => written.has(id))
  return found.join() === expected.join() ? combined() : wrong(`${name}: not in the order of its appends`)
}

function rounds(round: Round, short: number, full: number): number[] {
  return Array.from({ length: round.isShort ? short : full }, (_, i) => i)
}

export const disk: Fault = {
  name: 'disk',
  title: 'ENOSPC, EIO and short writes at any byte, once, for a while, for ever; three writers',
  run: async (round) => {
    for (const i of rounds(round, 4, 60)) {
      const bufferBytes = round.random.pick([0, 500, 2000, 16 * 1024 * 1024])
      await round.trial(`history ${i}, buffer of ${bufferBytes}`, (place) =>
        writeAmongFaults(place, round.random, { syncsFail: false, bufferBytes, steps: 300 }),
      )
    }
  },
}

export const sync: Fault = {
  name: 'sync',
  title: 'fdatasync fails, among other faults of the disk; three writers',
  run: async (round) => {
    for (const i of rounds(round, 3, 40)) {
      await round.trial(`history ${i}`, async (place) => {
        const verdict = await writeAmongFaults(place, round.random, {
          syncsFail: true,
          bufferBytes: 16 * 1024 * 1024,
          steps: 200,
        })
        return combined(verdict, markersOf(place))
      })
    }
  },
}

/** A segment that was left because its sync failed stays marked, and is never the last. */
function markersOf({ journal }: Place): Verdict {
  const names = readdirSync(journal).sort()
  const segments = names.filter((name) => name.endsWith('.ndjson'))
  const distrusted = names.filter((name) => name.endsWith('.distrusted'))
  const last = `${segments.at(-1)}.distrusted`
  return distrusted.includes(last) ? wrong(`${last}: nobody moved on`) : combined()
}

/** A file system of its own, as small as a full disk; unmounted with the trial. */
export async function onSmallDisk(
  place: Place,
  megabytes: number,
  act: (disk: SmallDisk) => Promise<Verdict>,
): Promise<Verdict> {
  const directory = join(place.directory, 'disk')
  mkdirSync(directory)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'request-journal-torture', directory])
  try {
    return await act(new SmallDisk(directory))
  } finally {
    execFileSync('umount', ['-l', directory])
  }
}

export class SmallDisk {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  /** Leaves this many bytes, to the page. */
  fill(freeBytes: number): void {
    const { bavail, bsize } = statfsSync(this.directory)
    const bytes = Math.max(0, bavail * bsize - freeBytes)
    writeFileSync(join(this.directory, `ballast-${Math.random()}`), Buffer.alloc(bytes))
  }

  free(): void {
    for (const name of readdirSync(this.directory)) {
      if (name.startsWith('ballast')) rmSync(join(this.directory, name))
    }
  }
}

let canMountAnswer: string | null | undefined

/** A real full disk needs a mount, and that needs root. */
export function whyNoMount(): string | null {
  canMountAnswer ??= tryMount()
  return canMountAnswer === '' ? null : canMountAnswer
}

function tryMount(): string {
  // A folder of its own: several processes may probe at once.
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-mount-probe-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'probe', directory], { stdio: 'ignore' })
    execFileSync('umount', [directory], { stdio: 'ignore' })
    return ''
  } catch {
    return 'mounting a small disk needs root'
  } finally {
    if (existsSync(directory)) rmSync(directory, { recursive: true, force: true })
  }
}

export const fullDisk: Fault = {
  name: 'full-disk',
  title: 'a real full disk (tmpfs) under the journal, and room again',
  whyNot: whyNoMount,
  run: async (round) => {
    for (const i of rounds(round, 1, 10)) {
      await round.trial(`full disk ${i}`, (place) =>
        onSmallDisk(place, 1, (smallDisk) => fillUp(place, smallDisk, round.random)),
      )
    }
  },
}

async function fillUp(place: Place, smallDisk: SmallDisk, random: Random): Promise<Verdict> {
  const journalDirectory = join(smallDisk.directory, 'journal')
  let warnings = 0
  const logger = { warn: () => void warnings++, error: () => void warnings++ }
  const journal = openJournal({ directory: journalDirectory, logger })
  const recorded: string[] = []
  const record = (count: number) => {
    for (let i = 0; i < count; i++) {
      const correlation_id = `r-${recorded.length}`
      journal.record({
        correlation_id,
        model: random.text(random.between(1, 40)),
        latency_ms: 1,
        success: true,
      })
      recorded.push(correlation_id)
    }
  }
  for (let turn = 0; turn < 3; turn++) {
    record(random.between(1, 50))
    smallDisk.fill(random.between(0, 3) * 4096)
    while (journal.counters.buffered === 0) record(1)
    record(random.between(0, 300))
    smallDisk.free()
    // The journal asks the disk again ten times a second.
    while (journal.counters.buffered > 0) await journal.flush().catch(() => {})
  }
  await journal.close()
  const verdict = await judge({ journal: journalDirectory, database: place.database }, recorded)
  if (warnings === 0) verdict.wrong.push('a full disk, and nothing was said')
  return verdict
}
