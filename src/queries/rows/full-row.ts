import type { Place } from '../../events/place.js'
import { segmentOfId } from '../../journal/segments.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import type { RequestColumns } from '../../store/sqlite/stored-row.js'

/** A whole row of the table `requests`. */
export interface FullRow extends RequestColumns {
  correlation_id: string
  error_status: number | null
  error_message: string | null
}

/** The columns of {@link FullRow}. */
export function fullColumns(database: QueryDatabase): string {
  return `${dialectOf(database).storedColumns}, correlation_id, error_status, error_message`
}

export function greatestId(database: QueryDatabase): number {
  return database.prepare<[], number>('SELECT coalesce(max(id), 0) FROM requests').pluck().get() as number
}

/** The place of a line in the journal. */
export interface JournalPlace {
  /** The segment's name. */
  segment: string
  byte_offset: number
}

/** Makes a place from a row's columns; null if it, or its completion, isn't from the journal. */
export function journalPlace(segmentId: number | null, byteOffset: number | null): JournalPlace | null {
  if (segmentId === null || byteOffset === null) return null
  // Another program may have added the row, with any number in it.
  return { segment: segmentOfId(segmentId)?.name ?? String(segmentId), byte_offset: byteOffset }
}

/** Lists an event's members and its place. */
export function placedEvent<Event extends { type: string }>({
  event: { type: _, ...members },
  segmentId,
  byteOffset,
}: { event: Event } & Place): Omit<Event, 'type'> & JournalPlace {
  return { ...members, ...(journalPlace(segmentId, byteOffset) as JournalPlace) }
}

/** Reads a row's labels; null for none. */
export function labelsOf({ labels }: FullRow): Record<string, string> | null {
  if (labels === null) return null
  try {
    const parsed: unknown = JSON.parse(labels)
    return typeof parsed === 'object' && !Array.isArray(parsed)
      ? (parsed as Record<string, string> | null)
      : null
  } catch {
    // Another program has added the row, with a text that isn't JSON.
    return null
  }
}
