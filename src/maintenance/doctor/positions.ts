import { statSync } from 'node:fs'
import { join } from 'node:path'
import { readManifest } from '../../journal/chain/manifest.js'
import { fileIdentity } from '../../journal/file-identity.js'
import { reasonOf } from '../../journal/file-system.js'
import { SegmentReader } from '../../journal/read/segment-reader.js'
import type { Segment } from '../../journal/segments.js'
import { missingSegments } from '../../projection/segments/missing-segments.js'
import { checkSegment, isRemembered } from '../../projection/segments/segment-check.js'
import { isTransient } from '../../projection/transient-errors.js'
import { countText } from '../count-text.js'
import type { KnownSegments } from '../journal-tables.js'
import { type Finding, ok, problem } from './check.js'

/** How many bytes of copied segments are read and compared; `verify` reads all. */
const COMPARED_BYTES = 64 * 1024 * 1024

/** Whether each segment is still the one that was projected, as a projector would check it. */
export function checkPositions(
  directory: string,
  segments: readonly Segment[],
  known: KnownSegments,
): Finding {
  const { positions } = known
  const there = new Map(segments.map((segment) => [segment.id, segment]))
  const names = new Set(positions.map(({ name }) => name))
  const missing = missingSegments(directory, readManifest(directory), segments, known)
  const wrong = missing
    .filter(({ name }) => names.has(name))
    .map(({ name, isTruncated, reason }) => `${name}: ${isTruncated ? 'truncated' : 'gone'}, ${reason}`)
  let compared = 0
  let uncompared = 0
  let unread = 0
  for (const position of positions) {
    const segment = there.get(position.id)
    if (segment === undefined || segment.state !== 'plain') continue
    try {
      const file = fileIdentity(statSync(join(directory, segment.name), { bigint: true }))
      const isCopy = !isRemembered(file, position.file)
      const isAffordable = compared + position.projectedBytes <= COMPARED_BYTES
      if (isCopy && isAffordable) compared += position.projectedBytes
      if (isCopy && !isAffordable) uncompared++
      const expected = isCopy && !isAffordable ? { ...position, file } : position
      const { projectedBytes, projectedCrc32 } = position
      const from = { position: projectedBytes, positionCrc32: projectedCrc32 }
      const reader = new SegmentReader(directory, segment, from)
      try {
        checkSegment(reader, expected)
      } finally {
        reader.close()
      }
    } catch (error) {
      // segment_files reports it, and a segment that can't be read isn't known to be wrong.
      if (isTransient(error)) unread++
      else wrong.push(reasonOf(error))
    }
  }
  if (wrong.length > 0) {
    const advice =
      'The projector stops at this. If `redate` has renamed them, run `request-journal replay`. Otherwise restore them from a backup, or rebuild without them: `request-journal replay --allow-missing`'
    return problem(`${countText(wrong.length, 'segment')} no longer as projected`, advice, wrong)
  }
  const rest =
    uncompared === 0
      ? ''
      : `; of ${countText(uncompared, 'copied segment')} only the last line was compared (verify reads all)`
  return ok(`${countText(positions.length - unread, 'projected segment')} as they were read${rest}`)
}
