import { resolve } from 'node:path'
import { readIdentity } from '../journal/journal-identity.js'
import { nearMisses } from '../journal/segments.js'
import { checkJournal } from '../projection/segments/segment-check.js'
import { databaseName } from '../store/open-store.js'
import { DEFAULT_SCHEMA, isPostgresAddress } from '../store/postgres/connection/address.js'
import { DatabaseError } from '../store/sqlite/connection/errors.js'
import { isLocked } from '../store/sqlite/connection/lock.js'
import { type DatabaseLocation, readFrom } from './database-location.js'
import { JournalTables, type KnownSegments, NOTHING_KNOWN, sumOfPositions } from './journal-tables.js'
import { type Lag, measureJournal } from './lag.js'
import { isProjected, type OtherJournal, otherJournals } from './other-journals.js'
import {
  alteredArchives,
  diskProblems,
  missingProblem,
  nearMissProblem,
  type SegmentState,
  segmentProblems,
} from './status-problems.js'

export interface StatusOptions extends DatabaseLocation {
  /** The journal's directory. */
  journal: string
  /** A path, where the file needn't exist, or a `postgres://` address. */
  database: string
}

/** What `status` prints with `--json`. */
export interface StatusReport extends Lag {
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
  /**
   * One sentence for each problem: a segment that is distrusted, truncated or gone, a file that
   * isn't read, a full disk.
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
  /** Completions whose request hasn't been projected. */
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
   * Rows whose costs are still to be computed again, because prices or exchange rates came late;
   * 100,000 if there are more.
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
 * Reports the state of journal and database. Reads neither lines nor rows, except the first line
 * that isn't projected, so it may be called every second.
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
  checkJournal(known.positions, { format: 1, journal_id, created_at }, databasePath)
  const { manifest, segments, lag, missing } = await measureJournal(directory, known)
  const waitsForDisk = database !== null && lag.lag_bytes > 0 && !isPostgresAddress(databasePath)
  return {
    journal: { journal_id, directory, created_at, segments: segments.map(segmentStatus) },
    database: database?.status ?? null,
    ...lag,
    problems: [
      ...segments.flatMap(segmentProblems),
      ...missing.map(missingProblem),
      ...(await alteredArchives(directory, segments, manifest)),
      ...nearMisses(directory).map(nearMissProblem),
      ...diskProblems(directory, waitsForDisk ? databasePath : null),
    ],
  }
}

function segmentStatus({ segment, stats, position }: SegmentState): SegmentStatus {
  return {
    name: segment.name,
    bytes: stats.size,
    projected_bytes: position?.projectedBytes ?? 0,
    archived: segment.state !== 'plain',
    distrusted: segment.isDistrusted,
  }
}

function readDatabase(location: DatabaseLocation, journalId: string) {
  try {
    return readFrom(location, (opened) =>
      // One transaction: otherwise rows and positions could belong to different moments.
      opened.transaction(() => {
        const tables = new JournalTables(opened, journalId)
        const known = tables.knownSegments()
        return { known, status: databaseStatus(tables, known, location) }
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
  { database, schema = DEFAULT_SCHEMA }: DatabaseLocation,
): DatabaseStatus {
  const path = databaseName(database)
  const counts = sumOfPositions(positions)
  // This uses a partial index, which is empty if every row came from a journal.
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
