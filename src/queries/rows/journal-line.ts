import { gunzipSync } from 'node:zlib'
import { MAX_LINE_BYTES, parseLine } from '../../events/line.js'
import { recoverEvents } from '../../events/recovery.js'
import { safeIdentifier } from '../../events/value-kinds.js'
import { JournalError } from '../../journal/errors.js'
import { readIdentity } from '../../journal/journal-identity.js'
import { ArchivedSegmentReader } from '../../journal/read/archived-segment-reader.js'
import { SegmentReader } from '../../journal/read/segment-reader.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import type { QueryDatabase } from '../../store/query-database.js'
import type { JournalPlace } from './full-row.js'

/**
 * Thrown when a line is in an archive and the caller doesn't want archives to be read: all bytes
 * before the line would have to be decompressed.
 */
export class ArchivedLineError extends Error {
  override readonly name = 'ArchivedLineError'
}

/** The text of a line in the journal, or the reason why it can't be shown. */
export type JournalLine = { text: string } | { text: null; reason: string }

const NEWLINE = 0x0a
/** Most lines are much shorter than this. */
const FIRST_READ_BYTES = 16 * 1024

/**
 * Reads the journal's line at a place, from the segment or its archive.
 *
 * @param correlationId a line with another correlation_id isn't shown: it is about another request.
 * @throws ArchivedLineError without `readArchives`.
 */
export async function readJournalLine(
  directory: string,
  place: JournalPlace,
  correlationId: string,
  readArchives: boolean,
): Promise<JournalLine> {
  try {
    const segment = listSegments(directory).find(({ name }) => name === place.segment)
    if (segment === undefined) return missing(`the journal has no segment ${place.segment}`)
    const isArchived = segment.state === 'archived'
    if (isArchived && !readArchives) throw new ArchivedLineError(`${segment.name} is archived`)
    const bytes = isArchived
      ? await readArchived(directory, segment, place.byte_offset)
      : readPlain(directory, segment, place.byte_offset)
    return describe(bytes, place, correlationId)
  } catch (error) {
    if (error instanceof JournalError) return missing(error.message)
    throw error
  }
}

export function missing(reason: string): JournalLine {
  return { text: null, reason }
}

/** Reads from the place to the end of its line, at most 1 MiB. */
function readPlain(directory: string, segment: Segment, byteOffset: number): Buffer {
  const reader = new SegmentReader(directory, segment)
  try {
    const first = upToNewline(reader.bytesAt(byteOffset, FIRST_READ_BYTES))
    return first.length < FIRST_READ_BYTES ? first : upToNewline(reader.bytesAt(byteOffset, MAX_LINE_BYTES))
  } finally {
    reader.close()
  }
}

/** Decompresses the archive from its beginning, up to the end of the line. */
async function readArchived(directory: string, segment: Segment, byteOffset: number): Promise<Buffer> {
  const reader = new ArchivedSegmentReader(directory, segment)
  try {
    while (reader.position <= byteOffset && reader.readOffset < byteOffset + MAX_LINE_BYTES) {
      if ((await reader.read()) === null) break
    }
    return upToNewline(reader.bytesAt(byteOffset, MAX_LINE_BYTES))
  } finally {
    reader.close()
  }
}

function upToNewline(bytes: Buffer): Buffer {
  const end = bytes.indexOf(NEWLINE)
  return end === -1 ? bytes : bytes.subarray(0, end)
}

/** Whether a directory holds the journal that has this number in PostgreSQL. */
export function isJournalHere(database: QueryDatabase, directory: string, journal: number): boolean {
  try {
    const find = database.prepare<[string], number>('SELECT number FROM journals WHERE journal_id = ?')
    return find.pluck().get(readIdentity(directory).journal_id) === journal
  } catch (error) {
    // A host that only reads the journals of others needn't have one.
    if (error instanceof JournalError) return false
    throw error
  }
}

/**
 * Reads a line of any host's journal from the copy that PostgreSQL holds.
 *
 * @param segmentId the segment that the place names.
 * @param correlationId a line with another correlation_id isn't returned.
 */
export function readStoredLine(
  database: QueryDatabase,
  { journal, segmentId }: { journal: number; segmentId: number },
  place: JournalPlace,
  correlationId: string,
): JournalLine {
  const { byte_offset: byteOffset } = place
  const find = database.prepare<number[], { byte_offset: number; length: number; bytes: Buffer }>(
    `SELECT byte_offset, length, bytes FROM journal_chunks
     WHERE journal = ? AND segment_id = ? AND byte_offset <= ? ORDER BY byte_offset DESC LIMIT 1`,
  )
  const pieces: Buffer[] = []
  // A line may begin in one chunk and end in another.
  for (let offset = byteOffset; offset < byteOffset + MAX_LINE_BYTES; ) {
    const chunk = find.get(journal, segmentId, offset)
    const end = chunk === undefined ? 0 : chunk.byte_offset + chunk.length
    if (chunk === undefined || end <= offset) {
      return missing("PostgreSQL doesn't hold the bytes of this journal; its host does")
    }
    const plain = decompressed(chunk.bytes)
    if (plain === null) {
      return missing(`PostgreSQL's copy of ${place.segment} is damaged at byte ${chunk.byte_offset}`)
    }
    const bytes = plain.subarray(offset - chunk.byte_offset)
    pieces.push(bytes)
    if (bytes.includes(NEWLINE)) break
    offset = end
  }
  return describe(upToNewline(Buffer.concat(pieces)), place, correlationId)
}

/** Decompresses a chunk. Returns null if it is damaged or isn't gzip. */
function decompressed(bytes: Buffer): Buffer | null {
  try {
    return gunzipSync(bytes)
  } catch {
    return null
  }
}

function describe(bytes: Buffer, { segment, byte_offset }: JournalPlace, correlationId: string): JournalLine {
  const place = `byte ${byte_offset} of ${segment}`
  if (bytes.length === 0) return missing(`${segment} ends before byte ${byte_offset}`)
  const event = eventAt(bytes, byte_offset)
  if (event === null) return missing(`there is no event at ${place} any more: run \`request-journal verify\``)
  const found = event.members['correlation_id']
  if (typeof found === 'string' && safeIdentifier(found) !== correlationId) {
    return missing(`there is another request at ${place}: this is not the journal that the row came from`)
  }
  return { text: event.bytes.toString() }
}

/** Decodes a line's event, or else the one that recovery finds at the line's beginning. */
function eventAt(
  bytes: Buffer,
  byteOffset: number,
): { bytes: Buffer; members: Record<string, unknown> } | null {
  const whole = parseLine(bytes)
  if ('members' in whole) return { bytes, members: whole.members }
  const recovered = recoverEvents(bytes, byteOffset).events.find((event) => event.byteOffset === byteOffset)
  if (recovered === undefined) return null
  const parsed = parseLine(recovered.bytes)
  return 'members' in parsed ? { bytes: recovered.bytes, members: parsed.members } : null
}
