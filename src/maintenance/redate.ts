import { lstatSync, renameSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { lastEntries, readManifest } from '../journal/chain/manifest.js'
import { nodeFileSystem, syncDirectory } from '../journal/file-system.js'
import { readIdentity } from '../journal/journal-identity.js'
import {
  distrustMarker,
  listSegments,
  nextSegmentOfDay,
  type Segment,
  type SegmentRef,
  segmentOf,
  utcDay,
} from '../journal/segments.js'
import { replay } from '../projection/replay.js'
import { checkJournal } from '../projection/segments/segment-check.js'
import type { SegmentPosition } from '../store/positions.js'
import { acquireDatabaseLock } from '../store/sqlite/connection/lock.js'
import { readPositions } from '../store/sqlite/segment-queries.js'
import { readFrom } from './database-location.js'

/** Writers look each second; the rest allows for a busy machine. */
const NOTICE_MS = 3000
/** A writer that was opening a segment at that moment may bring the old name back once. */
const MAX_ROUNDS = 3

export interface RedateOptions {
  /** The journal's directory. */
  journal: string
  /** The database's path; the file needn't exist. */
  database: string
  /**
   * Only say what would be done.
   * @default false
   */
  dryRun?: boolean | undefined
}

/** What `redate` prints with `--json`. */
export interface RedateResult {
  dry_run: boolean
  renamed: { segment: string; to: string }[]
  /** Segments dated in the future that keep their names, because the manifest names them. */
  left: string[]
  /**
   * Segments dated in the future that appeared again and again: some writer's clock is still ahead.
   */
  still_written: string[]
  /** Whether the database had projected one of them, and was rebuilt. */
  replayed: boolean
}

/**
 * Gives the next names of today to segments dated in the future, which were made while a clock was
 * ahead. Writers stay on the newest segment until its day is over, so without this they would stay
 * there for days. The order of segments, and so of all lines, doesn't change, and a writer that has
 * such a file open continues in it under its new name. After a kill, run it again: it continues
 * what was begun.
 *
 * @throws JournalError JOURNAL_MISSING, SEGMENTS_EXHAUSTED; DatabaseError PROJECTOR_RUNNING while a
 *   projector is running, or if the database can't be read; ProjectionError OTHER_JOURNAL. Then
 *   nothing was renamed.
 * @throws what `replay` throws.
 */
export async function redate(options: RedateOptions): Promise<RedateResult> {
  return await redateWith(options, { now: Date.now, noticeMs: NOTICE_MS })
}

/** @internal The same with another clock, and another time for writers to notice. */
export async function redateWith(
  { journal, database: databasePath, dryRun = false }: RedateOptions,
  { now, noticeMs }: { now(): number; noticeMs: number },
): Promise<RedateResult> {
  const directory = resolve(journal)
  const identity = readIdentity(directory)
  const hasDatabase = lstatSync(databasePath, { throwIfNoEntry: false }) !== undefined
  // A database that couldn't be rebuilt afterwards must be found before files have other names.
  if (hasDatabase) checkJournal(positionsIn(databasePath), identity, resolve(databasePath))
  const today = utcDay(now())
  const result: RedateResult = { dry_run: dryRun, renamed: [], left: [], still_written: [], replayed: false }
  // A projector would take the segments for gone.
  const lock = hasDatabase && !dryRun ? acquireDatabaseLock(databasePath, 'redate') : null
  try {
    for (let round = 1; ; round++) {
      const { renames, left } = plan(directory, today)
      result.left = left
      if (renames.length === 0) break
      if (round > MAX_ROUNDS) {
        result.still_written = renames.map(({ segment }) => segment.name)
        break
      }
      result.renamed.push(...renames.map(({ segment, to }) => ({ segment: segment.name, to: to.name })))
      if (dryRun) break
      for (const rename of renames) renameSegment(directory, rename)
      await delay(noticeMs)
    }
  } finally {
    lock?.release()
  }
  if (hasDatabase && !dryRun && knowsGoneFuture(directory, databasePath, today)) {
    await replay({ journal, database: databasePath })
    result.replayed = true
  }
  return result
}

interface Rename {
  segment: Segment
  to: SegmentRef
}

function plan(directory: string, today: string): { renames: Rename[]; left: string[] } {
  const manifest = readManifest(directory)
  const segments = listSegments(directory)
  const isKnown = ({ name, state }: Segment) =>
    state !== 'plain' ||
    lastEntries(manifest, 'sealed').has(name) ||
    lastEntries(manifest, 'archived').has(name)
  const future = segments.filter(({ day }) => day > today)
  const left = future.filter(isKnown).map(({ name }) => name)
  // Writers would stay on a segment that keeps its name, so renaming the others would gain nothing.
  if (left.length > 0) return { renames: [], left }
  let last = segments.findLast(({ day }) => day === today) as SegmentRef | undefined
  const renames = future.map((segment) => {
    last = last === undefined ? segmentOf(today, 0) : nextSegmentOfDay(last)
    return { segment, to: last }
  })
  return { renames, left }
}

/** Renames the marker first: nobody must append to a segment whose sync has failed. */
function renameSegment(directory: string, { segment, to }: Rename): void {
  if (segment.isDistrusted) {
    renameSync(join(directory, distrustMarker(segment)), join(directory, distrustMarker(to)))
  }
  renameSync(join(directory, segment.name), join(directory, to.name))
  syncDirectory(nodeFileSystem, directory)
}

/** Whether the database has positions of future segments that no longer exist under these names. */
function knowsGoneFuture(directory: string, databasePath: string, today: string): boolean {
  const there = new Set(listSegments(directory).map(({ id }) => id))
  return positionsIn(databasePath).some(({ id, name }) => name.slice(0, 10) > today && !there.has(id))
}

function positionsIn(databasePath: string): SegmentPosition[] {
  return readFrom({ database: databasePath }, (database) => readPositions(database))
}
