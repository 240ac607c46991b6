import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { MAX_LINE_BYTES, parseLine } from '../events/line.js'
import { canonicalTimestamp } from '../events/timestamp.js'
import { lastEntries, type Manifest, readManifest } from '../journal/chain/manifest.js'
import { readIdentity } from '../journal/journal-identity.js'
import { isBlank } from '../journal/read/line-scanner.js'
import { SegmentReader } from '../journal/read/segment-reader.js'
import { listSegments, type Segment } from '../journal/segments.js'
import { missingSegments } from '../projection/segments/missing-segments.js'
import { databaseName } from '../store/open-store.js'
import { DEFAULT_SCHEMA } from '../store/postgres/connection/address.js'
import type { QueryDatabase } from '../store/query-database.js'
import { isLocked } from '../store/sqlite/connection/lock.js'
import type { DatabaseLocation } from './database-location.js'
import { JournalTables, type KnownSegments } from './journal-tables.js'
import { isProjected } from './other-journals.js'
import type { SegmentState } from './status-problems.js'

/** How much of a journal isn't projected, and for how long it has waited. */
export interface Lag {
  /** Bytes of the journal that aren't projected; an unfinished last line counts. */
  lag_bytes: number
  /**
   * How many seconds the first line that isn't projected has waited, to a tenth; 0 if `lag_bytes`
   * is 0. If it is the last line of its segment, it was appended when the file last changed.
   * Otherwise its age is that of the first timestamp from there on, but it was appended at the
   * earliest when the position was last at the end of the segment or, if it never was, when the
   * file was created: an old event that was appended just now hasn't waited for long.
   */
  lag_seconds: number
}

/** Measures how far positions lag behind segments, by their sizes, and finds missing segments. */
export async function measureJournal(directory: string, known: KnownSegments) {
  const listed = listSegments(directory)
  const manifest = readManifest(directory)
  const segments = statSegments(directory, listed, manifest, known)
  const waiting = segments.filter(({ lagBytes, stats }) => lagBytes > 0 && stats.isFile())
  const [first] = waiting
  const lag: Lag = {
    lag_bytes: waiting.reduce((sum, { lagBytes }) => sum + lagBytes, 0),
    lag_seconds: first === undefined ? 0 : await secondsWaited(directory, first),
  }
  return { manifest, segments, lag, missing: missingSegments(directory, manifest, listed, known) }
}

/** Joins what is known about each segment: its file, its position, and how much isn't projected. */
function statSegments(
  directory: string,
  listed: readonly Segment[],
  manifest: Manifest,
  { positions, pruned }: KnownSegments,
): SegmentState[] {
  const byId = new Map(positions.map((position) => [position.id, position]))
  const states: SegmentState[] = []
  const archives = lastEntries(manifest, 'archived')
  for (const segment of listed) {
    const file = segment.state === 'plain' ? segment.name : `${segment.name}.gz`
    const stats = lstatSync(join(directory, file), { throwIfNoEntry: false })
    // Archived or pruned since the directory was listed.
    if (stats === undefined) continue
    const position = byId.get(segment.id)
    // The manifest doesn't know an archive that was compressed by hand; once projected, its
    // position says how long it is.
    const compressed = archives.get(segment.name)?.bytes ?? position?.projectedBytes ?? stats.size
    const size = segment.state === 'plain' ? stats.size : compressed
    const isPruned = pruned.has(segment.id)
    const lagBytes = isPruned ? 0 : Math.max(0, size - (position?.projectedBytes ?? 0))
    states.push({ segment, stats, position, lagBytes, isPruned })
  }
  return states
}

async function secondsWaited(directory: string, { segment, stats, position }: SegmentState): Promise<number> {
  const now = Date.now()
  // Some file systems don't know the time of birth and say 0.
  const bornAt = stats.birthtimeMs > 0 ? stats.birthtimeMs : stats.ctimeMs
  const caughtUpAt = typeof position?.caughtUpAt === 'string' ? Date.parse(position.caughtUpAt) : bornAt
  // An archive's own time is when it was compressed; a status decompresses nothing.
  const cameAt =
    segment.state === 'plain'
      ? ((await firstTimestamp(directory, segment, position?.projectedBytes ?? 0)) ?? stats.mtimeMs)
      : caughtUpAt
  return Math.max(0, Math.round((now - Math.max(caughtUpAt, cameAt)) / 100) / 10)
}

/**
 * The first timestamp in the first chunk after a position; null if the chunk has none, since prices
 * don't, or if its first line is the last of the segment.
 */
async function firstTimestamp(directory: string, segment: Segment, position: number): Promise<number | null> {
  const reader = new SegmentReader(directory, segment, { position })
  try {
    for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
      const lines = chunk.lines.filter((line) => !isBlank(line))
      // A line longer than the limit is rejected, so its timestamp isn't read.
      if (lines.length === 0 && reader.readOffset - reader.position <= MAX_LINE_BYTES) continue
      if (lines.length === 1 && reader.position === Number(reader.stats.size)) return null
      for (const { bytes } of lines) {
        const timestamp = bytes === null ? null : timestampOf(bytes)
        if (timestamp !== null) return timestamp
      }
      return null
    }
  } finally {
    reader.close()
  }
  return null
}

function timestampOf(line: Buffer): number | null {
  const parsed = parseLine(line)
  if ('reason' in parsed) return null
  const { timestamp } = parsed.members
  const canonical = typeof timestamp === 'string' ? canonicalTimestamp(timestamp) : null
  return canonical === null ? null : Date.parse(canonical)
}

/** A lag, and whether a projector is reducing it. */
export interface DatabaseLag extends Lag {
  /** Whether a projector or a replay holds the database; null if a replica is asked. */
  projector_running: boolean | null
  /** How many projected segments are gone from the journal, neither pruned nor accepted. */
  segments_gone: number
}

/**
 * Measures how far an open database lags behind a journal of this machine; null if it was projected
 * from another one. It reads sizes and positions, and a line only if there is a lag.
 *
 * @throws JournalError as `status` does, if the directory has no journal that can be read.
 */
export async function databaseLag(
  directory: string,
  opened: QueryDatabase,
  { database, schema = DEFAULT_SCHEMA }: DatabaseLocation,
): Promise<DatabaseLag | null> {
  const { journal_id } = readIdentity(directory)
  const tables = new JournalTables(opened, journal_id)
  const known = tables.knownSegments()
  const { positions } = known
  if (!tables.isKnown || positions.some(({ journalId }) => journalId !== journal_id)) return null
  const { lag, missing } = await measureJournal(directory, known)
  const isRunning =
    tables.number === null ? isLocked(databaseName(database)) : isProjected(opened, schema, tables.number)
  const names = new Set(positions.map(({ name }) => name))
  const gone = missing.filter(({ name, isTruncated }) => names.has(name) && !isTruncated)
  return { ...lag, projector_running: isRunning, segments_gone: gone.length }
}
