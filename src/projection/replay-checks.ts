// What a replay makes sure of: that every segment is there, perhaps under a new name, and still
// holds what was projected.
import { join } from 'node:path'
import { type EntryOf, lastEntries, readManifest } from '../journal/chain/manifest.js'
import type { SegmentDecoder } from '../journal/read/segment-decoder.js'
import { SegmentReader } from '../journal/read/segment-reader.js'
import { listSegments, plainSize, type Segment, utcDay } from '../journal/segments.js'
import { ProjectionError } from '../store/errors.js'
import type { SegmentPosition } from '../store/positions.js'
import { checkSegment } from './segments/segment-check.js'

/**
 * Returns the positions, with the new names of segments that `redate` has renamed. Such a segment
 * has a date in the future, its file is gone, and another file holds, byte for byte, the lines that
 * were projected.
 */
export function followRenames(
  directory: string,
  positions: readonly SegmentPosition[],
  now: number,
): SegmentPosition[] {
  const segments = listSegments(directory)
  const there = new Set(segments.map(({ id }) => id))
  const projected = new Set(positions.map(({ id }) => id))
  const unprojected = segments.filter(({ id, state }) => !projected.has(id) && state === 'plain')
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

/**
 * Checks that a replay loses no rows: every byte that was projected must still be there.
 *
 * @throws ProjectionError SEGMENT_MISSING, SEGMENT_TRUNCATED
 */
export function checkAllThere(positions: readonly SegmentPosition[], directory: string): void {
  const segments = new Map(listSegments(directory).map((segment) => [segment.id, segment]))
  const archives = lastEntries(readManifest(directory), 'archived')
  const advice = 'bring it back from a backup, or rebuild without those rows with --allow-missing'
  const shorter =
    'bring the whole segment back; or, if this journal is a backup older than the database, rebuild what it has with --allow-missing, which drops the rows of later lines'
  for (const { id, name, projectedBytes, counts } of positions) {
    const path = join(directory, name)
    const segment = segments.get(id)
    if (segment === undefined) {
      const rows = counts.requests === 1 ? '1 row' : `${counts.requests} rows`
      const found = `the segment is gone, and ${rows} came from it`
      throw new ProjectionError('SEGMENT_MISSING', path, `${found}: ${advice}`)
    }
    // The size of an archive that no manifest records is known only once it has been read.
    const size = plainSize(directory, segment) ?? archives.get(name)?.bytes ?? projectedBytes
    if (size < projectedBytes) {
      const found = `the segment has ${size} bytes, but ${projectedBytes} were projected from it`
      throw new ProjectionError('SEGMENT_TRUNCATED', path, `${found}: ${shorter}`)
    }
  }
}

/**
 * Checks that a segment which was read holds the lines that its rows came from, and that an archive
 * also holds the later lines that the manifest recorded. A line that has been damaged since would
 * otherwise take its row with it.
 *
 * @throws ProjectionError SEGMENT_REPLACED
 */
export function checkSame(
  decoder: SegmentDecoder,
  archived: EntryOf<'archived'> | undefined,
  position: SegmentPosition | undefined,
): void {
  const { source, sha256, prefixCrc32 } = decoder
  if (source.isArchive && archived !== undefined && sha256 !== archived.sha256) {
    const found = 'its SHA-256 is not the one that the manifest recorded when the segment was archived'
    const advice = 'bring the archive back from a backup, or rebuild from it as it is with --allow-missing'
    throw new ProjectionError('SEGMENT_REPLACED', source.path, `${found}: ${advice}`)
  }
  if (position === undefined || prefixCrc32 === position.projectedCrc32) return
  const found = `the first ${position.projectedBytes} bytes are not those that were projected`
  const advice =
    'run `request-journal verify` to see which, and bring the segment back from a backup, or rebuild from it as it is with --allow-missing'
  throw new ProjectionError('SEGMENT_REPLACED', source.path, `${found}: ${advice}`)
}
