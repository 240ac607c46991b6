import type { QueryDatabase } from '../../store/query-database.js'

/** A line that can't be projected: where it stands and why. */
export interface RejectedEntry {
  /** The segment's name. */
  segment: string
  byte_offset: number
  length: number
  reason: string
  detail: string
  /** The beginning of the line, which may be anything: it isn't safe for a terminal as it is. */
  excerpt: string
}

/** The JSON that `rejected` prints. */
export interface RejectedList {
  total: number
  rejected: RejectedEntry[]
}

/**
 * Lists rejected lines, the last in the journal first. Total and list are read at the same moment.
 */
export function listRejected(database: QueryDatabase, { limit }: { limit: number }): RejectedList {
  return database.transaction(() => {
    const count = database.prepare<[], number>('SELECT count(*) FROM rejected_lines').pluck()
    const rejected = database.prepare<[number], RejectedEntry>(
      `SELECT s.name AS segment, r.byte_offset, r.length, r.reason, r.detail, r.excerpt
       FROM rejected_lines r JOIN journal_segments s ON s.id = r.segment_id
       ORDER BY r.segment_id DESC, r.byte_offset DESC LIMIT ?`,
    )
    return { total: count.get() as number, rejected: rejected.all(limit) }
  })()
}
