import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type EntryOf, lastEntries, type Manifest, ManifestFile } from '../journal/manifest.js'
import { archiveFile, type Segment } from '../journal/segments.js'
import type { SegmentPosition } from '../storage/positions.js'
import { ProjectionError } from './errors.js'

const ADVICE = 'bring the right one back from a backup'

/**
 * What the manifest says of segments that are archived or gone: enough to know, without decompressing anything, whether
 * an archive has been projected to its end.
 */
export class Archives {
  readonly #directory: string
  readonly #manifest: ManifestFile
  #archived: ReadonlyMap<string, EntryOf<'archived'>> = new Map()
  /** Archives that were found to be projected to their end, by segment: which one it was. */
  readonly #done = new Map<number, string>()

  constructor(directory: string) {
    this.#directory = directory
    this.#manifest = new ManifestFile(directory)
  }

  /** Reads what was added to the manifest. Call it after the directory was listed, not before. */
  refresh(): Manifest {
    const manifest = this.#manifest.read()
    this.#archived = lastEntries(manifest, 'archived')
    return manifest
  }

  /** Of the segment, decompressed; undefined where no manifest knows. */
  bytesOf({ name }: Segment): number | undefined {
    return this.#archived.get(name)?.bytes
  }

  /**
   * Whether an archive may hold more than was projected. One that no manifest knows has to be read to tell.
   *
   * @throws ProjectionError SEGMENT_REPLACED, SEGMENT_TRUNCATED
   */
  isBehind(segment: Segment, position: SegmentPosition | undefined): boolean {
    const entry = this.#archived.get(segment.name)
    const known = this.#done.get(segment.id)
    if (entry !== undefined && known === entry.hash) return false
    const { size, version } = this.#stat(segment)
    if (entry === undefined) return known !== version
    const path = join(this.#directory, archiveFile(segment))
    if (size !== entry.archive_bytes) {
      const found = `the archive has ${size} bytes, but the manifest says ${entry.archive_bytes}`
      throw new ProjectionError('SEGMENT_REPLACED', path, `${found}: this is another file; ${ADVICE}`)
    }
    const projectedBytes = position?.projectedBytes ?? 0
    if (projectedBytes > entry.bytes) throw truncated(path, entry.bytes, projectedBytes)
    if (projectedBytes < entry.bytes) return true
    this.#done.set(segment.id, entry.hash)
    return false
  }

  /**
   * The archive was read to its end.
   *
   * @throws ProjectionError SEGMENT_TRUNCATED
   */
  finish(segment: Segment, projectedBytes: number): void {
    const entry = this.#archived.get(segment.name)
    if (entry !== undefined && projectedBytes < entry.bytes) {
      throw truncated(join(this.#directory, archiveFile(segment)), projectedBytes, entry.bytes)
    }
    this.#done.set(segment.id, entry?.hash ?? this.#stat(segment).version)
  }

  #stat(segment: Segment): { size: number; version: string } {
    const stats = statSync(join(this.#directory, archiveFile(segment)), { throwIfNoEntry: false })
    return { size: stats?.size ?? 0, version: `${stats?.dev}/${stats?.ino}/${stats?.size}/${stats?.mtimeMs}` }
  }
}

function truncated(path: string, found: number, expected: number): ProjectionError {
  const text = `the archive holds ${found} bytes of the segment, expected ${expected}`
  return new ProjectionError('SEGMENT_TRUNCATED', path, `${text}: it was truncated; ${ADVICE}`)
}
