import { createHash } from 'node:crypto'
import { type BigIntStats, createReadStream, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { JournalError } from '../errors.js'
import { isPassingCode } from '../files.js'
import { ArchivedSegmentReader } from '../read/archived-segment-reader.js'
import { unreadable } from '../read/segment-reader.js'
import { archiveFile, type SegmentName } from '../segments.js'
import type { EntryOf } from './manifest.js'
import { SegmentDigester } from './segment-digest.js'

/**
 * - `as_recorded`: the file is the one that was recorded, by its size or its hash.
 * - `recompressed`: another file, which holds the same bytes of the segment. That is fine.
 * - `altered`: it doesn't hold what was recorded.
 */
export type ArchiveVerdict = 'as_recorded' | 'recompressed' | 'altered'

/** The verdict on each file that isn't the recorded one: it is decompressed once, and again when it changes. */
const verdicts = new Map<string, { version: string; verdict: ArchiveVerdict }>()

/**
 * The one rule by which project, status and doctor judge an archive, and verify and replay as they read it: what counts
 * are the bytes of the segment that it holds. Where the file is the recorded one, they needn't be decompressed.
 *
 * @param isHashed compare the file's hash rather than its size, which reads the file.
 * @throws JournalError SEGMENT_UNREADABLE when it can't be opened; the system's error when it can't be read for now.
 */
export async function judgeArchive(
  directory: string,
  segment: SegmentName,
  entry: EntryOf<'archived'>,
  isHashed = false,
): Promise<ArchiveVerdict> {
  const path = join(directory, archiveFile(segment))
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) throw unreadable(path, Object.assign(new Error('it is gone'), { code: 'ENOENT' }))
  const isSameSize = Number(stats.size) === entry.archive_bytes
  if (isSameSize && (!isHashed || (await hashOf(path)) === entry.archive_sha256)) return 'as_recorded'
  const version = `${versionOf(stats)}/${entry.hash}`
  const known = verdicts.get(path)
  if (known?.version === version) return known.verdict
  const verdict = (await holds(directory, segment, entry)) ? 'recompressed' : 'altered'
  verdicts.set(path, { version, verdict })
  return verdict
}

/** Whatever changes a file's bytes changes one of these. */
export function versionOf({ dev, ino, size, ctimeNs }: BigIntStats): string {
  return `${dev}/${ino}/${size}/${ctimeNs}`
}

async function holds(
  directory: string,
  segment: SegmentName,
  { bytes, sha256 }: EntryOf<'archived'>,
): Promise<boolean> {
  const digester = new SegmentDigester()
  const reader = new ArchivedSegmentReader(directory, segment)
  try {
    while (
      (await reader.readChunk(
        () => {},
        (chunk) => digester.add(chunk),
      )) > 0
    ) {
      if (digester.readBytes > bytes) return false
    }
  } catch (error) {
    // What doesn't decompress isn't what was recorded; what can't be read for now says nothing.
    const cause =
      error instanceof JournalError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined
    if (cause === undefined || isPassingCode(cause.code)) throw error
    return false
  } finally {
    reader.close()
  }
  return digester.readBytes === bytes && digester.digest().sha256 === sha256
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
