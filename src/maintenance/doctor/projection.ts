import { statSync } from 'node:fs'
import { join } from 'node:path'
import { readManifest } from '../../journal/chain/manifest.js'
import { fileIdentity } from '../../journal/file-identity.js'
import { SegmentReader } from '../../journal/read/segment-reader.js'
import type { Segment } from '../../journal/segments.js'
import { isPassing } from '../../projection/retry.js'
import {
  type KnownSegments,
  type MissingSegment,
  missingSegments,
} from '../../projection/segments/missing-segments.js'
import { checkSegment, isRemembered } from '../../projection/segments/segment-check.js'
import { describeHolder, isProjectorRunning } from '../../store/sqlite/connection/projector-lock.js'
import { addCounts, emptyCounts, type SegmentPosition } from '../../store/sqlite/positions.js'
import { countText } from '../count-text.js'
import type { StatusReport } from '../status.js'
import { type DoctorCheck, note, ok, problem, sizeText } from './check.js'

/** A projector that is this far behind is stuck, or can't keep up. */
const SLOW_SECONDS = 60
/** Without a projector: whoever projects now and then does it more often than this. */
const FORGOTTEN_SECONDS = 3600

/** Copies of segments are read up to here to compare them; `verify` reads all. */
const COMPARED_BYTES = 64 * 1024 * 1024

export function checkProjector(databasePath: string): DoctorCheck {
  const isRunning = isProjectorRunning(databasePath)
  const holder = describeHolder(databasePath)
  if (isRunning) return ok('projector', `running${holder === undefined ? '' : ` (${holder})`}`)
  const last = holder === undefined ? '' : `; the last one did not end by itself (${holder})`
  return note(
    'projector',
    `not running${last}`,
    'Start `request-journal project`, unless something runs it now and then',
  )
}

export function checkLag({ lag_bytes, lag_seconds, database }: StatusReport): DoctorCheck {
  if (lag_bytes === 0) return ok('lag', 'none: everything is projected')
  const found = `${sizeText(lag_bytes)} not projected, for ${lag_seconds} s`
  if (database?.projector_running) {
    if (lag_seconds < SLOW_SECONDS) return ok('lag', found)
    const advice = 'The projector is stuck or can’t keep up: its log says which'
    return problem('lag', found, advice)
  }
  const advice = 'Start `request-journal project`: the journal keeps everything until then'
  return lag_seconds < FORGOTTEN_SECONDS ? note('lag', found, advice) : problem('lag', found, advice)
}

/** What the database knows of segments, read once. */
export interface KnownToDoctor extends KnownSegments {
  positions: readonly SegmentPosition[]
}

/**
 * Are all segments there that the manifest knows? Those that were projected are looked at by `checkPositions`.
 *
 * @param known null where no database can be read.
 */
export function checkMissing(
  directory: string,
  segments: readonly Segment[],
  known: KnownToDoctor | null,
): DoctorCheck {
  const { positions, prunedThrough, accepted } = known ?? {
    positions: [],
    prunedThrough: 0,
    accepted: new Set(),
  }
  const projected = new Set(positions.map(({ name }) => name))
  const look = (excused: ReadonlySet<string>) =>
    missingSegments(directory, readManifest(directory), segments, {
      positions,
      prunedThrough,
      accepted: excused,
    })
  const missing = look(accepted).filter(({ name }) => !projected.has(name))
  const items = (of: readonly MissingSegment[]) => of.map(({ name, found }) => `${name}: ${found}`)
  if (missing.length > 0) {
    const advice =
      'The projector stops at this. Bring the segments back from a backup, or do without them: `request-journal project --once --allow-missing`'
    const found = `${countText(missing.length, 'segment')} of the manifest missing or truncated: a restore was partial`
    return problem('missing_segments', found, advice, items(missing))
  }
  const all = look(new Set()).filter(({ name }) => accepted.has(name))
  if (all.length === 0) return ok('missing_segments', 'every segment of the manifest is there, or was pruned')
  const found = `${countText(all.length, 'segment')} missing, which somebody has accepted with --allow-missing`
  return note('missing_segments', found, null, items(all))
}

/** Is each segment still the one that was projected? What the projector would stop at is found here without one. */
export function checkPositions(
  directory: string,
  segments: readonly Segment[],
  known: KnownToDoctor,
): DoctorCheck {
  const { positions } = known
  const there = new Map(segments.map((segment) => [segment.id, segment]))
  const names = new Set(positions.map(({ name }) => name))
  const missing = missingSegments(directory, readManifest(directory), segments, known)
  const wrong = missing
    .filter(({ name }) => names.has(name))
    .map(({ name, found }) => `${name}: gone, ${found}`)
  let compared = 0
  let uncompared = 0
  let unread = 0
  for (const position of positions) {
    const segment = there.get(position.id)
    if (segment === undefined || segment.isArchived) continue
    try {
      const file = fileIdentity(statSync(join(directory, segment.name), { bigint: true }))
      const isCopy = !isRemembered(file, position.file)
      const isAffordable = compared + position.projectedBytes <= COMPARED_BYTES
      if (isCopy && isAffordable) compared += position.projectedBytes
      if (isCopy && !isAffordable) uncompared++
      checkOne(directory, segment, isCopy && !isAffordable ? { ...position, file } : position)
    } catch (error) {
      // The check of segment_files has said so, and what can't be read isn't known to be wrong.
      if (isPassing(error)) unread++
      else wrong.push(error instanceof Error ? error.message : String(error))
    }
  }
  if (wrong.length > 0) {
    const advice =
      'The projector stops at this. Bring the segments back from a backup, or rebuild without them: `request-journal replay --allow-missing`'
    return problem('positions', `${countText(wrong.length, 'segment')} no longer as projected`, advice, wrong)
  }
  const rest =
    uncompared === 0
      ? ''
      : `; of ${countText(uncompared, 'copied segment')} only the last line was compared (verify reads all)`
  return ok(
    'positions',
    `${countText(positions.length - unread, 'projected segment')} as they were read${rest}`,
  )
}

function checkOne(directory: string, segment: Segment, position: SegmentPosition): void {
  const reader = new SegmentReader(directory, segment, {
    position: position.projectedBytes,
    positionCrc32: position.projectedCrc32,
  })
  try {
    checkSegment(reader, position)
  } finally {
    reader.close()
  }
}

/** Late and unchecked lines: normal in small numbers, and a hint at something otherwise. */
export function checkLines(positions: readonly SegmentPosition[]): DoctorCheck {
  const { lines, late, unchecked } = positions.reduce(
    (sum, { counts }) => addCounts(sum, counts),
    emptyCounts(),
  )
  const found = `${countText(lines, 'line')} projected, ${late} late, ${unchecked} without a checksum`
  if (late === 0) return ok('lines', found)
  const advice =
    'Late lines were added to a segment after a newer one had begun, by a writer that hung or a clock that differs: a replay puts them earlier'
  return note('lines', found, advice)
}
