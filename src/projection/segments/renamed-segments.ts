import { SegmentReader } from '../../journal/read/segment-reader.js'
import { listSegments, type Segment, utcDay } from '../../journal/segments.js'
import { ProjectionError } from '../../store/errors.js'
import type { SegmentPosition } from '../../store/positions.js'
import { checkSegment } from './segment-check.js'

/**
 * Positions of segments dated in the future that are gone, under the names that `redate` has given to their files. Only a
 * file that holds, byte for byte, what was projected counts.
 */
export function followRenames(
  directory: string,
  positions: readonly SegmentPosition[],
  now: number,
): SegmentPosition[] {
  const segments = listSegments(directory)
  const there = new Set(segments.map(({ id }) => id))
  const projected = new Set(positions.map(({ id }) => id))
  const unprojected = segments.filter(({ id, isArchived }) => !projected.has(id) && !isArchived)
  return positions.map((position) => {
    if (there.has(position.id) || position.name.slice(0, 10) <= utcDay(now)) return position
    const renamed = unprojected.find((segment) => holds(directory, segment, position))
    return renamed === undefined ? position : { ...position, id: renamed.id, name: renamed.name }
  })
}

function holds(directory: string, segment: Segment, position: SegmentPosition): boolean {
  const reader = new SegmentReader(directory, segment)
  try {
    checkSegment(reader, position)
    return true
  } catch (error) {
    if (error instanceof ProjectionError) return false
    throw error
  } finally {
    reader.close()
  }
}
