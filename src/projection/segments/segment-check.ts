import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { EntryOf } from '../../journal/chain/manifest.js'
import { type FileIdentity, fileIdentity } from '../../journal/file-identity.js'
import type { JournalIdentity } from '../../journal/journal-identity.js'
import { segmentBytes } from '../../journal/read/open-segment.js'
import { lastLineChecksum } from '../../journal/read/segment-decoder.js'
import type { SegmentSource } from '../../journal/read/segment-source.js'
import { ProjectionError } from '../../store/errors.js'
import type { SegmentPosition } from '../../store/positions.js'

const ADVICE =
  'put the segment back, or rebuild the database from the journal as it is with `request-journal replay --allow-missing`'

const PIECE_BYTES = 1024 * 1024

/**
 * Checks that a segment is still the one that was read: it isn't shorter than the position, its
 * last projected line is still there, and it is the same file or a faithful copy, byte for byte up
 * to the position. (After a reboot or a new mount, the device of the same file may have another
 * number.) Archives aren't checked here; their reader does that.
 *
 * @throws ProjectionError SEGMENT_TRUNCATED, SEGMENT_REPLACED
 */
export function checkSegment(reader: SegmentSource, position: SegmentPosition): void {
  if (reader.isArchive) return
  const { stats } = reader
  const { size } = stats
  if (Number(size) < position.projectedBytes) {
    const text = `the segment has ${size} bytes, but ${position.projectedBytes} were projected from it`
    throw new ProjectionError('SEGMENT_TRUNCATED', reader.path, `${text}: it was truncated; ${ADVICE}`)
  }
  const { lastLine } = position
  if (
    lastLine !== null &&
    lastLineChecksum(reader, lastLine.byteOffset, lastLine.length) !== lastLine.crc32
  ) {
    const text = `the line at byte ${lastLine.byteOffset}, the last that was projected, is not there any more`
    throw new ProjectionError('SEGMENT_REPLACED', reader.path, `${text}: this is another file; ${ADVICE}`)
  }
  const file = fileIdentity(stats)
  if (!isRemembered(file, position.file) && prefixChecksum(reader, position) !== position.projectedCrc32) {
    const text = `the file is another one (inode ${file.inode} of device ${file.device}, was ${position.file.inode} of ${position.file.device ?? 'an unknown one'}) and not a faithful copy`
    throw new ProjectionError('SEGMENT_REPLACED', reader.path, `${text}: its bytes differ; ${ADVICE}`)
  }
}

/**
 * Checks that a segment still begins with the bytes that were sealed. Bytes that were projected are
 * left to `checkSegment`, which compares them with the position; a new database has no position.
 * Hashing takes 2.5 % of the time of a replay, about a second for 1 GB. An archive that the
 * manifest records is judged by its own entry. One that somebody has compressed by hand is read
 * once more for this.
 *
 * @throws ProjectionError SEGMENT_REPLACED
 */
export async function checkSealed(
  source: SegmentSource,
  { sealed, archived }: { sealed: EntryOf<'sealed'> | undefined; archived: boolean },
  projectedBytes: number,
): Promise<void> {
  if (sealed === undefined || (source.isArchive && archived) || projectedBytes >= sealed.bytes) return
  // Whether a plain segment may be shorter is for the check of missing segments to say.
  if (!source.isArchive && Number(source.stats.size) < sealed.bytes) return
  const hash = createHash('sha256')
  let readBytes = 0
  for await (const bytes of segmentBytes(source, 0, sealed.bytes)) {
    hash.update(bytes)
    readBytes += bytes.length
  }
  if (hash.digest('hex') === sealed.sha256) return
  // All that a shorter archive holds is projected: somebody may have accepted it by a replay, of
  // which nothing else tells. `verify` names it.
  if (readBytes === projectedBytes) return
  const found = `the first ${sealed.bytes} bytes are not those that were sealed`
  const advice =
    'run `request-journal verify` to see which, and bring the segment back from a backup, or rebuild from it as it is with `request-journal replay --allow-missing`'
  throw new ProjectionError('SEGMENT_REPLACED', source.path, `${found}: ${advice}`)
}

/** Whether a file is the one that a position remembers. Older versions didn't store the device. */
export function isRemembered(file: FileIdentity, remembered: SegmentPosition['file']): boolean {
  return file.inode === remembered.inode && (remembered.device === null || file.device === remembered.device)
}

/** Checks that the positions belong to this journal. @throws ProjectionError OTHER_JOURNAL */
export function checkJournal(
  positions: Iterable<SegmentPosition>,
  identity: JournalIdentity,
  databaseName: string,
): void {
  for (const position of positions) {
    if (position.journalId === identity.journal_id) continue
    const text = `it was projected from the journal ${position.journalId}, but this is ${identity.journal_id}`
    throw new ProjectionError(
      'OTHER_JOURNAL',
      databaseName,
      `${text}: check --journal and --db, or choose another --db`,
    )
  }
}

function prefixChecksum(reader: SegmentSource, position: SegmentPosition): number {
  let checksum = 0
  for (let offset = 0; offset < position.projectedBytes; offset += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, position.projectedBytes - offset)
    checksum = crc32(reader.bytesAt(offset, length), checksum)
  }
  return checksum
}
