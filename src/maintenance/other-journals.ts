import type { QueryDatabase } from '../store/query-database.js'

/** Another journal of a PostgreSQL database, as far as the database knows it. */
export interface OtherJournal {
  journal_id: string
  /** Null: its projector was of a version that didn't tell. */
  host: string | null
  /** When its projector last committed something; null: never. */
  last_seen: string | null
  /**
   * When its projector was last at the end of its newest segment. What its host has appended since
   * isn't known here, so that only `status` on that host tells its lag. Null: never.
   */
  caught_up_at: string | null
  /** Whether a projector or a replay of it is connected. */
  projector_running: boolean
}

const MAX_LISTED = 100

/** The locks that projectors and replays hold, which end with their sessions. See `lock`. */
const LOCKED = `SELECT objid::bigint FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 2 AND granted
    AND classid::bigint = hashtext(?::text)::bigint & 4294967295
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** Whether a projector or a replay of a journal is connected to PostgreSQL. */
export function isProjected(database: QueryDatabase, schema: string, journal: number): boolean {
  const sql = `SELECT 1 FROM (${LOCKED}) AS locked (number) WHERE number = ?`
  return database.prepare<[string, number]>(sql).get(lockName(schema), journal) !== undefined
}

/** Lists the other journals of a PostgreSQL database, those that were seen last first. */
export function otherJournals(
  database: QueryDatabase,
  schema: string,
  journal: number,
): { other_journals: OtherJournal[]; more_journals: number } {
  const rows = database.prepare<[string, number], OtherJournal>(
    `SELECT journal_id, host, last_seen, number IN (${LOCKED}) AS projector_running,
       (SELECT caught_up_at FROM journal_segments WHERE journal = number ORDER BY id DESC LIMIT 1) AS caught_up_at
     FROM journals WHERE number <> ? ORDER BY last_seen DESC NULLS LAST, number LIMIT ${MAX_LISTED}`,
  )
  const listed = rows.all(lockName(schema), journal)
  const count = database.prepare<[number], number>('SELECT count(*) FROM journals WHERE number <> ?')
  return { other_journals: listed, more_journals: (count.pluck().get(journal) ?? 0) - listed.length }
}

/** The first part of the key of a projector's lock. */
function lockName(schema: string): string {
  return `request-journal ${schema}`
}
