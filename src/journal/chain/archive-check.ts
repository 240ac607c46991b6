import { createHash } from 'node:crypto'
import { type BigIntStats, createReadStream, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { JournalError } from '../errors.js'
import { isTransientCode } from '../file-system.js'
import { ArchivedSegmentReader } from '../read/archived-segment-reader.js'
import { unreadable } from '../read/segment-source.js'
import { archiveFile, type SegmentRef } from '../segments.js'
import type { EntryOf } from './manifest.js'
import { SegmentDigester } from './segment-digest.js'

/**
 * Whether an archive holds the bytes that the manifest recorded:
 *
 * - `as_recorded`: the file is the recorded one, judging by its size or its hash.
 * - `recompressed`: it's another file, but it holds the same bytes of the segment, which is fine.
 * - `altered`: it doesn't hold them.
 */
export type ArchiveVerdict = 'as_recorded' | 'recompressed' | 'altered'

/**
 * Verdicts on archives that aren't the recorded files, by path. Each is about one version of the
 * file.
 */
const verdicts = new Map<string, { version: string; verdict: ArchiveVerdict }>()

/**
 * Judges an archive by the bytes of the segment that it holds. The archive isn't decompressed if
 * its file is the recorded one. All commands follow this rule; verify and replay apply it while
 * they read.
 *
 * @param comparesHash whether to compare the file's hash too, for which the whole file is read.
 * @throws JournalError SEGMENT_UNREADABLE if it can't be opened; the file system's error if it
 *   can't be read for now.
 */
export async function judgeArchive(
  directory: string,
  segment: SegmentRef,
  entry: EntryOf<'archived'>,
  comparesHash = false,
): Promise<ArchiveVerdict> {
  const path = join(directory, archiveFile(segment))
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) throw unreadable(path, Object.assign(new Error('it is gone'), { code: 'ENOENT' }))
  const isSameSize = Number(stats.size) === entry.archive_bytes
  if (isSameSize && (!comparesHash || (await isRecordedFile(path, entry)))) return 'as_recorded'
  const version = `${versionOf(stats)}/${entry.hash}`
  const known = verdicts.get(path)
  if (known?.version === version) return known.verdict
  const verdict = (await holdsRecordedBytes(directory, segment, entry)) ? 'recompressed' : 'altered'
  verdicts.set(path, { version, verdict })
  return verdict
}

/** Returns a string that changes whenever a file's bytes may have changed. */
export function versionOf({ dev, ino, size, ctimeNs }: BigIntStats): string {
  return `${dev}/${ino}/${size}/${ctimeNs}`
}

async function holdsRecordedBytes(
  directory: string,
  segment: SegmentRef,
  { bytes, sha256 }: EntryOf<'archived'>,
): Promise<boolean> {
  const digester = new SegmentDigester()
  const reader = new ArchivedSegmentReader(directory, segment)
  try {
    for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
      digester.add(chunk.bytes)
      if (digester.readBytes > bytes) return false
    }
  } catch (error) {
    // A file that doesn't decompress is altered. One that can't be read for now may hold anything.
    const cause =
      error instanceof JournalError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined
    if (cause === undefined || isTransientCode(cause.code)) throw error
    return false
  } finally {
    reader.close()
  }
  return digester.readBytes === bytes && digester.digest().sha256 === sha256
}

/** Whether an archive's file is the recorded one, by its hash. */
export async function isRecordedFile(
  path: string,
  { archive_sha256 }: Pick<EntryOf<'archived'>, 'archive_sha256'>,
): Promise<boolean> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex') === archive_sha256
}
