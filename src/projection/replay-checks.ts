import { join } from 'node:path'
import { type EntryOf, lastEntries, readManifest } from '../journal/chain/manifest.js'
import type { SegmentDecoder } from '../journal/read/segment-decoder.js'
import { listSegments, plainSize } from '../journal/segments.js'
import { ProjectionError } from '../store/errors.js'
import type { SegmentPosition } from '../store/positions.js'

/** A replay must not lose rows: every byte that was projected must still be there. */
export function checkAllThere(positions: readonly SegmentPosition[], directory: string): void {
  const segments = new Map(listSegments(directory).map((segment) => [segment.id, segment]))
  const archives = lastEntries(readManifest(directory), 'archived')
  const advice = 'bring it back from a backup, or rebuild without those rows with --allow-missing'
  for (const { id, name, projectedBytes, counts } of positions) {
    const path = join(directory, name)
    const segment = segments.get(id)
    if (segment === undefined) {
      const found = `the segment is gone, and ${counts.requests} rows came from it`
      throw new ProjectionError('SEGMENT_MISSING', path, `${found}: ${advice}`)
    }
    // What nobody recorded shows when it is read: a replay needs as many lines as there were.
    const size = plainSize(directory, segment) ?? archives.get(name)?.bytes ?? projectedBytes
    if (size < projectedBytes) {
      const found = `the segment has ${size} bytes, but ${projectedBytes} were projected from it`
      throw new ProjectionError('SEGMENT_TRUNCATED', path, `${found}: ${advice}`)
    }
  }
}

/**
 * What takes the place of rows must be what they came from: an archive what the manifest says, a plain segment, as far as
 * it had been projected, what was projected. A line that is damaged by now would take its row with it.
 *
 * @throws ProjectionError SEGMENT_REPLACED
 */
export function checkSame(
  decoder: SegmentDecoder,
  archived: EntryOf<'archived'> | undefined,
  position: SegmentPosition | undefined,
): void {
  const { sha256, prefixCrc32 } = decoder
  if (decoder.isArchive) {
    if (archived === undefined || sha256 === archived.sha256) return
    const found = 'its SHA-256 is not the one that the manifest recorded when the segment was archived'
    const advice = 'bring the archive back from a backup, or rebuild from it as it is with --allow-missing'
    throw new ProjectionError('SEGMENT_REPLACED', decoder.path, `${found}: ${advice}`)
  }
  if (position === undefined || prefixCrc32 === position.projectedCrc32) return
  const found = `the first ${position.projectedBytes} bytes are not those that were projected`
  const advice =
    'run `request-journal verify` to see which, and bring the segment back from a backup, or rebuild from it as it is with --allow-missing'
  throw new ProjectionError('SEGMENT_REPLACED', decoder.path, `${found}: ${advice}`)
}
