import { gunzipSync } from 'node:zlib'
import { JournalError } from '../../journal/errors.js'
import { readIdentity } from '../../journal/journal-identity.js'
import type { QueryDatabase } from '../../store/query-database.js'
import type { JournalPlace } from './full-row.js'
import { type JournalLine, lineAt, missing } from './journal-line.js'

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
  const chunk = database
    .prepare<number[], { byte_offset: number; length: number; bytes: Buffer }>(
      `SELECT byte_offset, length, bytes FROM journal_chunks
       WHERE journal = ? AND segment_id = ? AND byte_offset <= ? ORDER BY byte_offset DESC LIMIT 1`,
    )
    .get(journal, segmentId, byteOffset)
  if (chunk === undefined || byteOffset >= chunk.byte_offset + chunk.length) {
    return missing("PostgreSQL doesn't hold the bytes of this journal; its host does")
  }
  // Chunks hold whole lines.
  return lineAt(gunzipSync(chunk.bytes).subarray(byteOffset - chunk.byte_offset), place, correlationId)
}
