import { statSync } from 'node:fs'
import { join } from 'node:path'
import { judgeArchive, versionOf } from '../../journal/chain/archive-check.js'
import { type EntryOf, lastEntries, type Manifest, ManifestFile } from '../../journal/chain/manifest.js'
import { archiveFile, type Segment } from '../../journal/segments.js'
import { ProjectionError } from '../../store/errors.js'
import type { SegmentPosition } from '../../store/positions.js'

const ADVICE = 'bring the right one back from a backup'

/**
 * Finds out which archives have been projected to their end, without decompressing them, since the
 * manifest says how many bytes each one holds. Also checks that an archive is still the one that
 * was recorded.
 */
export class ProjectedArchives {
  readonly #directory: string
  readonly #manifest: ManifestFile
  #archived: ReadonlyMap<string, EntryOf<'archived'>> = new Map()
  #sealed: ReadonlyMap<string, EntryOf<'sealed'>> = new Map()
  /** The keys of archives that were found to be projected to their end, by segment. */
  readonly #done = new Map<number, string>()
  /** The keys of archives that were found to hold what was recorded, by segment. */
  readonly #judged = new Map<number, string>()

  constructor(directory: string) {
    this.#directory = directory
    this.#manifest = new ManifestFile(directory)
  }

  /** Reads what was added to the manifest. Call it after listing the directory, not before. */
  refresh(): Manifest {
    const manifest = this.#manifest.read()
    this.#archived = lastEntries(manifest, 'archived')
    this.#sealed = lastEntries(manifest, 'sealed')
    return manifest
  }

  /** What the manifest says of a segment that was sealed. */
  sealedEntry({ name }: Segment): EntryOf<'sealed'> | undefined {
    return this.#sealed.get(name)
  }

  /** How many bytes an archived segment has, decompressed; undefined if no manifest records it. */
  bytesOf({ name }: Segment): number | undefined {
    return this.#archived.get(name)?.bytes
  }

  /**
   * Whether an archive must be opened, because it may hold more than was projected, no manifest
   * records it, or `judge` has to find out whether it is still the right one.
   *
   * @throws ProjectionError SEGMENT_TRUNCATED
   */
  mustBeOpened(segment: Segment, position: SegmentPosition | undefined): boolean {
    const entry = this.#archived.get(segment.name)
    const { key, size } = this.#file(segment)
    if (this.#done.get(segment.id) === key) return false
    if (entry === undefined) return true
    if (size !== entry.archive_bytes && this.#judged.get(segment.id) !== key) return true
    const path = join(this.#directory, archiveFile(segment))
    const projectedBytes = position?.projectedBytes ?? 0
    if (projectedBytes > entry.bytes) throw truncated(path, entry.bytes, projectedBytes)
    if (projectedBytes < entry.bytes) return true
    this.#done.set(segment.id, key)
    return false
  }

  /**
   * Checks once that an archive is the recorded file or holds the same bytes. Hashing the file
   * costs a hundredth of projecting it, which the caller is about to do; only a file that isn't the
   * recorded one is decompressed.
   *
   * @returns whether it was compressed again.
   * @throws ProjectionError SEGMENT_REPLACED
   */
  async judge(segment: Segment): Promise<boolean> {
    const entry = this.#archived.get(segment.name)
    const { key } = this.#file(segment)
    if (entry === undefined || this.#judged.get(segment.id) === key) return false
    const verdict = await judgeArchive(this.#directory, segment, entry, true)
    if (verdict === 'altered') {
      const path = join(this.#directory, archiveFile(segment))
      const found = `the archive is not the file of ${entry.archive_bytes} bytes that was recorded, and holds other lines`
      throw new ProjectionError('SEGMENT_REPLACED', path, `${found}: this is another file; ${ADVICE}`)
    }
    this.#judged.set(segment.id, key)
    return verdict === 'recompressed'
  }

  /**
   * Notes that an archive was read to its end.
   *
   * @throws ProjectionError SEGMENT_TRUNCATED
   */
  finish(segment: Segment, projectedBytes: number): void {
    const entry = this.#archived.get(segment.name)
    if (entry !== undefined && projectedBytes < entry.bytes) {
      throw truncated(join(this.#directory, archiveFile(segment)), projectedBytes, entry.bytes)
    }
    this.#done.set(segment.id, this.#file(segment).key)
  }

  /** Returns an archive's size, and a key that changes when the file or its manifest entry does. */
  #file(segment: Segment): { key: string; size: number } {
    const path = join(this.#directory, archiveFile(segment))
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
    const version = stats === undefined ? '' : versionOf(stats)
    const entry = this.#archived.get(segment.name)
    return { key: `${version}/${entry?.hash}`, size: Number(stats?.size ?? 0) }
  }
}

function truncated(path: string, found: number, expected: number): ProjectionError {
  const text = `the archive holds ${found} bytes of the segment, expected ${expected}`
  return new ProjectionError('SEGMENT_TRUNCATED', path, `${text}: it was truncated; ${ADVICE}`)
}
