import type { QueryDatabase } from '../../store/query-database.js'
import { type JournalPlace, journalPlace } from './full-row.js'

/** A line that can't be projected: its place, and the reason. */
export interface RejectedEntry {
  /** The segment's name. */
  segment: string
  byte_offset: number
  length: number
  reason: string
  detail: string
  /** The beginning of the line. It may hold anything, so it has to be escaped for a terminal. */
  excerpt: string
}

type Row = Omit<RejectedEntry, 'segment'> & { segment_id: number }

/** The JSON that `rejected` prints. */
export interface RejectedList {
  total: number
  rejected: RejectedEntry[]
}

/** Lists rejected lines, the journal's last first. Total and list are of the same moment. */
export function listRejected(database: QueryDatabase, { limit }: { limit: number }): RejectedList {
  return database.transaction(() => {
    const count = database.prepare<[], number>('SELECT count(*) FROM rejected_lines').pluck()
    const rejected = database.prepare<[number], Row>(
      `SELECT segment_id, byte_offset, length, reason, detail, excerpt FROM rejected_lines
       ORDER BY segment_id DESC, byte_offset DESC LIMIT ?`,
    )
    const entries = rejected.all(limit).map(({ segment_id, ...line }): RejectedEntry => {
      return { ...(journalPlace(segment_id, line.byte_offset) as JournalPlace), ...line }
    })
    return { total: count.get() as number, rejected: entries }
  })()
}
