import { join } from 'node:path'
import { type EntryOf, lastEntries, type Manifest } from '../../journal/chain/manifest.js'
import { parseSegmentName, plainSize, type Segment, utcDay } from '../../journal/segments.js'
import { ProjectionError } from '../../store/errors.js'
import type { SegmentPosition } from '../../store/positions.js'
import type { PrunedSegments } from '../../store/pruned-segments.js'

/** A segment that must exist and is gone or too short. */
export interface MissingSegment {
  name: string
  /** Whether it exists, but is shorter than it was. */
  isTruncated: boolean
  /** Why it must exist, such as `60 bytes of it were projected`. */
  reason: string
}

/** The segments that a database knows; none if there is no database. */
export interface KnownSegments {
  positions: Iterable<SegmentPosition>
  pruned: PrunedSegments
  /** The names of missing segments that somebody has accepted. */
  accepted: ReadonlySet<string>
}

/**
 * Finds missing segments, by the one rule that project, replay, status and doctor share: whatever
 * was projected, sealed or archived must exist, unless it was pruned. So a partial restore is
 * noticed even with a new database.
 *
 * @param there every segment that has a file in `directory`.
 */
export function missingSegments(
  directory: string,
  manifest: Manifest,
  there: readonly Segment[],
  { positions, pruned: prunedHere, accepted }: KnownSegments,
): MissingSegment[] {
  const segments = new Map(there.map((segment) => [segment.id, segment]))
  const pruned = lastEntries(manifest, 'pruned')
  const sealed = lastEntries(manifest, 'sealed')
  const missing = new Map<number, MissingSegment>()
  const projected = new Map<number, number>()
  const isExcused = (id: number, name: string) => prunedHere.has(id) || accepted.has(name)
  for (const { id, name, projectedBytes } of positions) {
    projected.set(id, projectedBytes)
    if (segments.has(id) || isExcused(id, name)) continue
    const entry = pruned.get(name)
    if (entry !== undefined && projectedBytes >= entry.bytes) continue
    missing.set(id, { name, isTruncated: false, reason: `${projectedBytes} bytes of it were projected` })
  }
  const oldestProjected = [...projected.keys()].reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  for (const entry of [...sealed.values(), ...lastEntries(manifest, 'archived').values()]) {
    const { segment: name } = entry
    const id = parseSegmentName(name)?.id
    if (id === undefined || missing.has(id) || isExcused(id, name)) continue
    const segment = segments.get(id)
    const projectedBytes = projected.get(id) ?? 0
    if (segment === undefined && pruned.has(name)) {
      // A database made after the prune has no older segment, since the oldest are pruned first.
      // Only an import may have been pruned before older segments.
      const isUnread =
        entry.bytes > 0 &&
        oldestProjected < id &&
        !projected.has(id) &&
        sealed.get(name)?.import === undefined
      if (isUnread) missing.set(id, { name, isTruncated: false, reason: prunedUnread(entry) })
      continue
    }
    if (segment !== undefined && projectedBytes >= entry.bytes) continue
    const reason = whyMissing(directory, segment, entry, projectedBytes)
    if (reason !== null) missing.set(id, { name, isTruncated: segment !== undefined, reason })
  }
  return [...missing].sort(([a], [b]) => a - b).map(([, segment]) => segment)
}

function whyMissing(
  directory: string,
  segment: Segment | undefined,
  { kind, bytes, lines }: EntryOf<'sealed' | 'archived'>,
  projectedBytes: number,
): string | null {
  if (segment === undefined) return `the manifest says that it was ${kind} with ${linesText(lines)}`
  // An archive is judged by its content.
  const size = plainSize(directory, segment)
  // If it is shorter than its position, opening the segment reports that.
  if (size === null || size >= bytes || size < projectedBytes) return null
  return `it has ${size} bytes, but the manifest says that ${bytes} were ${kind}`
}

function prunedUnread({ lines }: EntryOf<'sealed' | 'archived'>): string {
  return `it was pruned with ${linesText(lines)} that this database hadn't read`
}

function linesText(lines: number): string {
  return lines === 1 ? '1 line' : `${lines} lines`
}

/** Makes the error that stops a projector or a replay. */
export function missingSegmentsError(directory: string, missing: readonly MissingSegment[]): ProjectionError {
  const [first] = missing
  if (first === undefined) throw new Error('nothing is missing')
  const more = missing.length === 1 ? '' : ` (and ${missing.length - 1} more)`
  const found = first.isTruncated
    ? `it was truncated: ${first.reason}`
    : `the segment is gone, and ${first.reason}`
  const isFuture = first.name.slice(0, 10) > utcDay(Date.now())
  const renamed = isFuture ? 'if `redate` has renamed it, run `request-journal replay`; otherwise ' : ''
  const advice = `${renamed}bring it back from a backup, or do without it: \`request-journal project --once --allow-missing\` keeps what was projected from it, \`request-journal replay --allow-missing\` does not`
  const code = first.isTruncated ? 'SEGMENT_TRUNCATED' : 'SEGMENT_MISSING'
  return new ProjectionError(code, join(directory, first.name), `${found}${more}; ${advice}`)
}
