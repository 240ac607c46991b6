import { lstatSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { MAX_LINE_BYTES, parseLine } from '../events/line.js'
import { canonicalTimestamp } from '../events/timestamp.js'
import { lastEntries, type Manifest, readManifest } from '../journal/chain/manifest.js'
import { readIdentity } from '../journal/identity.js'
import { isBlank } from '../journal/read/line-scanner.js'
import { SegmentReader } from '../journal/read/segment-reader.js'
import { listSegments, nearMisses, type Segment } from '../journal/segments.js'
import { missingSegments } from '../projection/segments/missing-segments.js'
import { checkJournal } from '../projection/segments/segment-check.js'
import { databaseName } from '../store/open-store.js'
import type { SegmentPosition } from '../store/positions.js'
import { DEFAULT_SCHEMA, isPostgresAddress } from '../store/postgres/connection/address.js'
import type { PrunedSegments } from '../store/pruned-segments.js'
import { DatabaseError } from '../store/sqlite/connection/errors.js'
import { isLocked } from '../store/sqlite/connection/lock.js'
import { JournalTables, type KnownSegments, NOTHING_KNOWN, sumOfPositions } from './journal-tables.js'
import { isProjected, type OtherJournal, otherJournals } from './other-journals.js'
import { type ReadDatabase, readFrom } from './read-from.js'
import {
  alteredArchives,
  diskProblems,
  missingProblem,
  nearMissProblem,
  type SegmentState,
  segmentProblems,
} from './status-problems.js'

export interface StatusOptions extends ReadDatabase {
  /** The journal's directory. */
  journal: string
  /** A path, where the file needn't exist, or a `postgres://` address. */
  database: string
}

/** What `status` prints with `--json`. */
export interface StatusReport {
  journal: {
    journal_id: string
    /** Absolute. */
    directory: string
    created_at: string
    /** In order. */
    segments: SegmentStatus[]
  }
  /** Null if the file doesn't exist. */
  database: DatabaseStatus | null
  /** Bytes of the journal that aren't projected; an unfinished last line counts. */
  lag_bytes: number
  /**
   * How many seconds the first line that isn't projected has waited, to a tenth; 0 if `lag_bytes`
   * is 0. That is its age by its own timestamp, but at most the time since its segment's position
   * last stood at the end or, if it never did, since the file's birth: an old event that was
   * appended just now hasn't waited for long.
   */
  lag_seconds: number
  /**
   * One sentence for each thing that needs a look: a segment that is distrusted, truncated or gone,
   * a file that isn't read, a full disk.
   */
  problems: string[]
}

export interface SegmentStatus {
  name: string
  /** The size of the file itself: of the compressed one, if it is archived. */
  bytes: number
  /** How many bytes of the plain segment are projected. */
  projected_bytes: number
  archived: boolean
  /** Whether a sync of it has failed, so that it may not hold what was written. */
  distrusted: boolean
}

export interface DatabaseStatus {
  /** Absolute; or the address. */
  path: string
  /** All rows of the journal, including those from before it. */
  requests: number
  rejected: number
  /** Completions whose request hasn't come. */
  held: number
  /** Completions that overwrote an earlier one of the same row. */
  repeated_completions: number
  /** Completions that named no attempt while several rows with their correlation_id were open. */
  ambiguous_completions: number
  late_lines: number
  /** Lines accepted without a checksum. */
  unchecked: number
  /** Rows that don't come from a journal. */
  unjournaled: number
  /**
   * Rows whose costs wait to be computed again, because prices or exchange rates came late; 100,000
   * if there are more.
   */
  to_reprice: number
  /** Whether a projector or a replay holds the database; null if a replica is asked. */
  projector_running: boolean | null
  /** Only in PostgreSQL: up to 100 other journals of it, those that were seen last first. */
  other_journals?: OtherJournal[]
  /** Only in PostgreSQL: how many more there are. */
  more_journals?: number
}

/**
 * Says how journal and database stand. Reads neither lines nor rows, except the first line that
 * isn't projected, so it may be called every second.
 *
 * @throws JournalError JOURNAL_MISSING, JOURNAL_INVALID, SEGMENT_UNREADABLE.
 * @throws ProjectionError OTHER_JOURNAL when the database was projected from another journal.
 * @throws DatabaseError if the database exists and can't be read; PostgresError.
 */
export async function status(options: StatusOptions): Promise<StatusReport> {
  const directory = resolve(options.journal)
  const databasePath = databaseName(options.database)
  const { journal_id, created_at } = readIdentity(directory)
  // The positions first: the journal only grows, so it is never shorter than positions that were
  // read before it.
  const database = readDatabase(options, journal_id)
  const known = database?.known ?? NOTHING_KNOWN
  const positions = new Map(known.positions.map((position) => [position.id, position]))
  checkJournal(positions.values(), { format: 1, journal_id, created_at }, databasePath)
  const listed = listSegments(directory)
  const manifest = readManifest(directory)
  const segments = statSegments(directory, listed, manifest, positions, known.pruned)
  const waiting = segments.filter(({ lagBytes, stats }) => lagBytes > 0 && stats.isFile())
  const [first] = waiting
  const lag_bytes = waiting.reduce((sum, { lagBytes }) => sum + lagBytes, 0)
  const waitsForDisk = database !== null && lag_bytes > 0 && !isPostgresAddress(databasePath)
  return {
    journal: { journal_id, directory, created_at, segments: segments.map(segmentStatus) },
    database: database?.status ?? null,
    lag_bytes,
    lag_seconds: first === undefined ? 0 : await secondsWaited(directory, first),
    problems: [
      ...segments.flatMap(segmentProblems),
      ...missingSegments(directory, manifest, listed, known).map(missingProblem),
      ...(await alteredArchives(directory, segments, manifest)),
      ...nearMisses(directory).map(nearMissProblem),
      ...diskProblems(directory, waitsForDisk ? databasePath : null),
    ],
  }
}

function statSegments(
  directory: string,
  listed: readonly Segment[],
  manifest: Manifest,
  positions: ReadonlyMap<number, SegmentPosition>,
  pruned: PrunedSegments,
): SegmentState[] {
  const states: SegmentState[] = []
  const archives = lastEntries(manifest, 'archived')
  for (const segment of listed) {
    const file = segment.isArchived ? `${segment.name}.gz` : segment.name
    const stats = lstatSync(join(directory, file), { throwIfNoEntry: false })
    // Archived or pruned since the directory was listed.
    if (stats === undefined) continue
    const position = positions.get(segment.id)
    // The manifest doesn't know one that was compressed by hand; once projected, it is as long as
    // its position.
    const compressed = archives.get(segment.name)?.bytes ?? position?.projectedBytes ?? stats.size
    const size = segment.isArchived ? compressed : stats.size
    const isPruned = pruned.has(segment.id)
    const lagBytes = isPruned ? 0 : Math.max(0, size - (position?.projectedBytes ?? 0))
    states.push({ segment, stats, position, lagBytes, isPruned })
  }
  return states
}

function segmentStatus({ segment, stats, position }: SegmentState): SegmentStatus {
  return {
    name: segment.name,
    bytes: stats.size,
    projected_bytes: position?.projectedBytes ?? 0,
    archived: segment.isArchived,
    distrusted: segment.isDistrusted,
  }
}

async function secondsWaited(directory: string, { segment, stats, position }: SegmentState): Promise<number> {
  const now = Date.now()
  // Some file systems don't know the time of birth and say 0.
  const bornAt = stats.birthtimeMs > 0 ? stats.birthtimeMs : stats.ctimeMs
  const caughtUpAt = typeof position?.caughtUpAt === 'string' ? Date.parse(position.caughtUpAt) : bornAt
  const loggedAt = await timestampOfNextLine(directory, segment, position?.projectedBytes ?? 0)
  const since = Math.max(caughtUpAt, loggedAt ?? caughtUpAt)
  return Math.max(0, Math.round((now - since) / 100) / 10)
}

/**
 * The timestamp of the first whole line after the position; null if there is no such line, or if it
 * has none.
 */
async function timestampOfNextLine(
  directory: string,
  segment: Segment,
  position: number,
): Promise<number | null> {
  // A status decompresses nothing.
  if (segment.isArchived) return null
  let line: Buffer | null | undefined
  const reader = new SegmentReader(directory, segment, { position })
  try {
    while (line === undefined) {
      const chunk = await reader.read()
      // A line over 1 MiB is never held whole, and can't say.
      line = chunk?.lines.find((scanned) => !isBlank(scanned))?.bytes
      // A line that is longer than any may be has no timestamp to read, however long it is.
      const isTooLong = reader.readOffset - reader.position > MAX_LINE_BYTES
      if (chunk === null || (line === undefined && isTooLong)) return null
    }
  } finally {
    reader.close()
  }
  const parsed = line === null ? null : parseLine(line)
  if (parsed === null || 'reason' in parsed) return null
  const { timestamp } = parsed.members
  const canonical = typeof timestamp === 'string' ? canonicalTimestamp(timestamp) : null
  return canonical === null ? null : Date.parse(canonical)
}

interface ReadStatus {
  status: DatabaseStatus
  known: KnownSegments
}

function readDatabase({ database, schema }: StatusOptions, journalId: string): ReadStatus | null {
  try {
    return readFrom({ database, schema }, (opened) =>
      // One transaction: otherwise rows and positions could belong to different moments.
      opened.transaction(() => {
        const tables = new JournalTables(opened, journalId)
        const known = tables.knownSegments()
        return { known, status: databaseStatus(tables, known, { database, schema }) }
      })(),
    )
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'DATABASE_MISSING') return null
    throw error
  }
}

function databaseStatus(
  tables: JournalTables,
  { positions }: KnownSegments,
  { database, schema = DEFAULT_SCHEMA }: ReadDatabase,
): DatabaseStatus {
  const path = databaseName(database)
  const counts = sumOfPositions(positions)
  // A partial index answers this; it is empty if every row came from a journal.
  const unjournaled = tables.number === null ? tables.count('requests', 'segment_id IS NULL') : 0
  return {
    path,
    requests: counts.requests + unjournaled,
    rejected: counts.rejected,
    held: tables.count('held_completions'),
    repeated_completions: counts.repeated,
    ambiguous_completions: counts.ambiguous,
    late_lines: counts.late,
    unchecked: counts.unchecked,
    unjournaled,
    to_reprice: tables.countRowsToReprice(),
    projector_running:
      tables.number === null ? isLocked(path) : isProjected(tables.database, schema, tables.number),
    ...(tables.number === null ? {} : otherJournals(tables.database, schema, tables.number)),
  }
}
