import type { Database } from '../../store/sqlite/connection/database.js'

/** A line that can't be projected: where it stands and why. */
export interface RejectedEntry {
  /** The segment's name. */
  segment: string
  byte_offset: number
  length: number
  reason: string
  detail: string
  /** How the line begins. Whatever someone wrote into the journal: not safe for a terminal as it is. */
  excerpt: string
}

/** What `rejected` prints with `--json`. */
export interface RejectedList {
  total: number
  rejected: RejectedEntry[]
}

/** Rejected lines, the last in the journal first; total and list are of the same moment. */
export function listRejected(database: Database, { limit }: { limit: number }): RejectedList {
  return database.transaction(() => {
    const count = database.prepare<[], { total: number }>('SELECT count(*) AS total FROM rejected_lines')
    const rejected = database.prepare<[number], RejectedEntry>(
      `SELECT s.name AS segment, r.byte_offset, r.length, r.reason, r.detail, r.excerpt
       FROM rejected_lines r JOIN journal_segments s ON s.id = r.segment_id
       ORDER BY r.segment_id DESC, r.byte_offset DESC LIMIT ?`,
    )
    return { total: count.get()?.total ?? 0, rejected: rejected.all(limit) }
  })()
}
