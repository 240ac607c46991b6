import { statSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type EntryOf, lastEntries, readManifest } from '../journal/manifest.js'
import type { SegmentSource } from '../journal/open-segment.js'
import type { SegmentDigester } from '../journal/segment-digest.js'
import { leavingFile, listSegments, type Segment } from '../journal/segments.js'
import type { SegmentPosition } from '../storage/positions.js'
import { ProjectionError } from './errors.js'

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

/** Null when only the archive is there. */
export function plainSize(directory: string, segment: Segment): number | null {
  if (segment.isArchived && !segment.isLeaving) return null
  const file = segment.isLeaving ? leavingFile(segment) : segment.name
  return statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? null
}

/**
 * An archive's bytes pass anyway: what takes the place of rows must be what they came from.
 *
 * @throws ProjectionError SEGMENT_REPLACED
 */
export function checkArchive(
  { path }: SegmentSource,
  digester: SegmentDigester,
  expected: EntryOf<'archived'> | undefined,
): void {
  if (expected === undefined || digester.digest().sha256 === expected.sha256) return
  const found = 'its SHA-256 is not the one that the manifest recorded when the segment was archived'
  const advice = 'bring the archive back from a backup, or rebuild from it as it is with --allow-missing'
  throw new ProjectionError('SEGMENT_REPLACED', path, `${found}: ${advice}`)
}

/** The bytes of a segment that had been projected, as they pass once more. */
export class ProjectedPrefix {
  readonly #position: SegmentPosition | undefined
  #crc32 = 0
  #left: number

  constructor(position: SegmentPosition | undefined) {
    this.#position = position
    this.#left = position?.projectedBytes ?? 0
  }

  add(bytes: Buffer): void {
    if (this.#left === 0) return
    const counted = bytes.subarray(0, this.#left)
    this.#crc32 = crc32(counted, this.#crc32)
    this.#left -= counted.length
  }

  /**
   * A line that was projected and is damaged by now would take its row with it.
   *
   * @throws ProjectionError SEGMENT_REPLACED
   */
  check({ path }: SegmentSource): void {
    if (this.#position === undefined || this.#crc32 === this.#position.projectedCrc32) return
    const found = `the first ${this.#position.projectedBytes} bytes are not those that were projected`
    const advice =
      'run `request-journal verify` to see which, and bring the segment back from a backup, or rebuild from it as it is with --allow-missing'
    throw new ProjectionError('SEGMENT_REPLACED', path, `${found}: ${advice}`)
  }
}
