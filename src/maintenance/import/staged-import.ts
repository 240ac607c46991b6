import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isRecordedFile } from '../../journal/chain/archive-check.js'
import { type ImportOrigin, lastEntries, ManifestFile } from '../../journal/chain/manifest.js'
import { JournalError } from '../../journal/errors.js'
import { fileIdentityAt, isSameFile } from '../../journal/file-identity.js'
import { nodeFileSystem, syncDirectory } from '../../journal/file-system.js'
import { sharedMode } from '../../journal/journal-identity.js'
import { createDirectory } from '../../journal/new-file.js'
import {
  archiveFile,
  importsUnderWay,
  isFarAhead,
  listSegments,
  type Segment,
  type SegmentRef,
  segmentOf,
  segmentToWrite,
  stagedImport,
  unfinishedImport,
  utcDay,
} from '../../journal/segments.js'
import { countText } from '../count-text.js'
import { type ImportPart, PartSpool } from './part-spool.js'
import { type RecordedPart, recordedParts } from './recorded-imports.js'

const PLAN = 'plan.json'

/** Writers keep the rest of a day's 999 numbers. */
const LAST_NUMBER = 900
/** A writer may take a number at the same instant, but won't do so each time. */
const MAX_ATTEMPTS = 5

/** How many segments an import makes at most, if so many numbers are free. */
export const MAX_PARTS = 366

/** The steps after which tests kill the process. */
export type ImportStep = 'spooled' | 'staged' | 'linked' | 'noticed' | 'recorded'

export interface StagingPorts {
  now(): number
  /** How long writers get to notice that there is a newer segment. */
  noticeMs: number
  /** How many segments an import makes at most: if there are more days, they share segments. */
  maxParts: number
  onStep(step: ImportStep): void
}

interface Plan {
  origin: Omit<ImportOrigin, 'part' | 'parts' | 'first' | 'last' | 'requests'>
  parts: ImportPart[]
}

/** A part, and the path of its file until the import is done. */
type StagedPart = ImportPart & { path: string }

/**
 * Moves the parts of imports into a journal. Each becomes a segment that is archived from the
 * beginning: writers never append to such a segment but move on to the next number, and all readers
 * can read it. Both may run meanwhile.
 *
 * | killed after | what is there | the next run |
 * |---|---|---|
 * | spooled | `.import-ID.tmp`, nothing in the journal | removes it and begins again |
 * | staged | `.import-ID` with every part, durable, and the plan | continues with it |
 * | linked | some parts, or all, as segments too: the same files | links the others, records all |
 * | recorded, of some parts or all | the manifest says so | records the others, removes `.import-ID` |
 *
 * The last part is linked first. From then on writers go to the number after it, so that no number
 * of another part is taken. The number before the first part stays free, since a writer that leaves
 * a segment whose sync has failed takes the next number without looking. Projectors don't read new
 * segments before an entry of the manifest names them, so that writers notice these segments before
 * any line after them is read.
 */
export class StagedImports {
  readonly #directory: string
  readonly #ports: StagingPorts
  readonly #manifest: ManifestFile

  constructor(directory: string, ports: StagingPorts) {
    this.#directory = directory
    this.#ports = ports
    this.#manifest = new ManifestFile(directory)
  }

  /**
   * The parts of all imports that count as made. If all segments of an import were removed, and not
   * by `prune`, it doesn't count and can be made again.
   */
  recorded(): readonly RecordedPart[] {
    const there = new Set(listSegments(this.#directory).map(({ name }) => name))
    const parts = recordedParts(this.#manifest.read())
    const counting = parts.filter(({ segment, isPruned }) => isPruned || there.has(segment))
    const ids = new Set(counting.map(({ origin }) => origin.id))
    return parts.filter(({ origin }) => ids.has(origin.id))
  }

  /** Finishes what runs that were killed have begun. @returns the ids of the imports. */
  async finishInterrupted(): Promise<string[]> {
    const { staged, unfinished } = importsUnderWay(this.#directory)
    for (const name of unfinished) rmSync(join(this.#directory, name), { recursive: true, force: true })
    const ids: string[] = []
    for (const name of staged) {
      const path = join(this.#directory, name)
      const plan = JSON.parse(readFileSync(join(path, PLAN), 'utf8')) as Plan
      await this.#take(path, plan)
      ids.push(plan.origin.id)
    }
    return ids
  }

  /**
   * Takes a new import in.
   *
   * @param fill adds the events.
   * @param onPart called before each segment is stored.
   * @returns the names of its segments; none if there were no events.
   */
  async add(
    origin: Plan['origin'],
    fill: (spool: PartSpool) => Promise<void>,
    onPart: (done: number, total: number) => void,
  ): Promise<string[]> {
    const mode = sharedMode(this.#directory, nodeFileSystem)
    const staged = join(this.#directory, stagedImport(origin.id))
    const unfinished = join(this.#directory, unfinishedImport(origin.id))
    createDirectory(nodeFileSystem, unfinished, mode | ((mode & 0o444) >> 2))
    let plan: Plan
    try {
      const spool = new PartSpool(unfinished, mode)
      await fill(spool)
      const parts = await spool.finish(this.#maxParts())
      if (parts.length === 0) {
        rmSync(unfinished, { recursive: true })
        return []
      }
      this.#ports.onStep('spooled')
      plan = { origin, parts }
      writeFileSync(join(unfinished, PLAN), JSON.stringify(plan), { mode, flush: true })
      syncDirectory(nodeFileSystem, unfinished)
      // If the journal has no room for the import, it must stay as it is.
      this.firstFree(parts.length)
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true })
      throw error
    }
    renameSync(unfinished, staged)
    syncDirectory(nodeFileSystem, this.#directory)
    this.#ports.onStep('staged')
    return await this.#take(staged, plan, onPart)
  }

  async #take(
    staged: string,
    { origin, parts }: Plan,
    onPart?: (done: number, total: number) => void,
  ): Promise<string[]> {
    const done = new Map(
      this.recorded()
        .filter((found) => found.origin.id === origin.id)
        .map(({ segment, origin: { part } }) => [part, segment]),
    )
    const open = parts
      .map((part, index) => ({ ...part, number: index + 1 }))
      .filter(({ number }) => !done.has(number))
    const linked = await this.#link(open.map((part) => ({ ...part, path: join(staged, part.file) })))
    for (const [index, part] of open.entries()) {
      const { number, first, last, requests, digest, archive_bytes, archive_sha256 } = part
      onPart?.(number - 1, parts.length)
      const segment = linked[index]?.name ?? ''
      const now = this.#ports.now()
      const entry = { ...origin, part: number, parts: parts.length, first, last, requests }
      this.#manifest.append(() => ({ kind: 'sealed', segment, ...digest, import: entry }), now)
      // Recorded last, since projectors wait for this entry.
      const archived = { segment, ...digest, archive_bytes, archive_sha256 }
      this.#manifest.append(() => ({ kind: 'archived', ...archived }), now)
      done.set(number, segment)
      this.#ports.onStep('recorded')
    }
    rmSync(staged, { recursive: true })
    syncDirectory(nodeFileSystem, this.#directory)
    return [...done].sort(([a], [b]) => a - b).map(([, segment]) => segment)
  }

  /** Makes segments of parts, in their order. @returns the segments. */
  async #link(parts: readonly StagedPart[]): Promise<readonly SegmentRef[]> {
    const files = parts.map(({ path }) => path)
    const found = new Map<string, SegmentRef>()
    for (let attempt = 1; ; attempt++) {
      const recorded = lastEntries(this.#manifest.read(), 'archived')
      for (const segment of this.#segments('archived')) {
        const part = await this.#partIn(segment, parts, recorded.has(segment.name))
        if (part !== undefined) found.set(part.path, segment)
      }
      const open = files.filter((file) => !found.has(file))
      if (open.length === 0) break
      if (attempt > MAX_ATTEMPTS) throw new Error('other writers took the numbers of its segments each time')
      const first = this.firstFree(open.length)
      for (const [index, file] of [...open.entries()].reverse()) {
        const segment = segmentOf(first.day, first.number + index)
        linkSync(file, join(this.#directory, archiveFile(segment)))
        this.#ports.onStep('linked')
        found.set(file, segment)
      }
      syncDirectory(nodeFileSystem, this.#directory)
      await this.#waitForWriters(first)
      this.#dropTaken(found)
    }
    return files.map((file) => found.get(file) as SegmentRef)
  }

  /**
   * Returns the part that a segment was made of: the same file or, in a copy of the journal, a file
   * with the same bytes.
   */
  async #partIn(
    segment: SegmentRef,
    parts: readonly StagedPart[],
    isRecorded: boolean,
  ): Promise<StagedPart | undefined> {
    const path = join(this.#directory, archiveFile(segment))
    const archive = fileIdentityAt(path)
    const linked = parts.find((part) => isSameFile(fileIdentityAt(part.path), archive))
    if (linked !== undefined || isRecorded) return linked
    const size = statSync(path, { throwIfNoEntry: false })?.size
    for (const part of parts) {
      if (size === part.archive_bytes && (await isRecordedFile(path, part))) return part
    }
    return undefined
  }

  /** Gives writers time to notice the new segments, unless no writer has written anything. */
  async #waitForWriters(first: SegmentRef): Promise<void> {
    if (this.#segments('plain').some(({ id }) => id < first.id)) await delay(this.#ports.noticeMs)
    this.#ports.onStep('noticed')
  }

  /**
   * If a writer took the number of an archive, its segment would hide the archive, which gets
   * another number.
   */
  #dropTaken(found: Map<string, SegmentRef>): void {
    const plain = new Set(this.#segments('plain').map(({ id }) => id))
    for (const [file, segment] of found) {
      if (!plain.has(segment.id)) continue
      rmSync(join(this.#directory, archiveFile(segment)))
      found.delete(file)
    }
  }

  #segments(state: Segment['state']): Segment[] {
    return listSegments(this.#directory).filter((segment) => segment.state === state)
  }

  /** At most half of the day's free numbers, so that another import on the same day has room too. */
  #maxParts(): number {
    const half = Math.floor(freeNumbers(this.#firstNumber()) / 2)
    return Math.max(1, Math.min(this.#ports.maxParts, half))
  }

  /** The first of so many free numbers. @throws JournalError SEGMENTS_EXHAUSTED, JOURNAL_INVALID */
  firstFree(count: number): SegmentRef {
    const first = this.#firstNumber()
    const free = freeNumbers(first)
    if (count <= free) return first
    const text = `the import needs ${countText(count, 'segment')}, and ${first.day} has only ${free} numbers left for imports: run it again tomorrow`
    throw new JournalError('SEGMENTS_EXHAUSTED', this.#directory, text)
  }

  /** The first number that no writer takes. @throws JournalError JOURNAL_INVALID */
  #firstNumber(): SegmentRef {
    const now = this.#ports.now()
    const next = segmentToWrite(listSegments(this.#directory), utcDay(now))
    if (!isFarAhead(next, now)) return segmentOf(next.day, next.number + 2)
    const text = `found the segment ${next.name}, which is dated in the future: run \`request-journal redate\` first`
    throw new JournalError('JOURNAL_INVALID', this.#directory, text)
  }
}

/** How many numbers imports may take, from the first one. */
function freeNumbers({ number }: SegmentRef): number {
  return Math.max(0, LAST_NUMBER - number + 1)
}
