import { IDS_PER_JOURNAL } from '../store/postgres/row-ids.js'
import type { QueryDatabase } from '../store/query-database.js'

/** Another journal of a PostgreSQL database, as far as the database knows it. */
export interface OtherJournal {
  journal_id: string
  /** Null: its projector was of a version that doesn't record it. */
  host: string | null
  /** When its projector last committed something; null: never. */
  last_seen: string | null
  /**
   * When its projector was last at the end of its newest segment. What its host has appended since
   * isn't known here, so only `status` on that host shows its lag. Null: never.
   */
  caught_up_at: string | null
  /** Whether a projector or a replay of it is connected. Null: a replica doesn't know. */
  projector_running: boolean | null
}

/** A journal of a PostgreSQL database, with what metrics and health checks need. */
export interface SharedJournal extends OtherJournal {
  /** The version of its projector. Null: an older one, which doesn't record it. */
  version: string | null
  /** Lines that can't be projected, of segments not pruned. */
  rejected_lines: number
  /**
   * How old its newest row is, in seconds; 0 if the last commit of its projector reached the end of
   * the journal. Null: it has no rows.
   */
  lag_seconds: number | null
}

const MAX_LISTED = 100

/** The locks that projectors and replays hold, which end with their sessions. See `lock`. */
const LOCKED = `SELECT objid::bigint FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 2 AND granted
    AND classid::bigint = hashtext(?::text)::bigint & 4294967295
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** A replica doesn't have the locks of its primary. */
const IS_PROJECTED = `CASE WHEN pg_is_in_recovery() THEN NULL ELSE number IN (${LOCKED}) END`

/** Whether a projector or a replay of a journal is connected; null if a replica is asked. */
export function isProjected(database: QueryDatabase, schema: string, journal: number): boolean | null {
  const sql = `SELECT ${IS_PROJECTED} FROM (SELECT ?::bigint AS number) AS journal`
  const found = database.prepare<[string, number], boolean | null>(sql).pluck()
  return found.get(lockName(schema), journal) ?? null
}

/** Lists all journals of a PostgreSQL database in the order of their numbers. */
export function sharedJournals(database: QueryDatabase, schema: string): SharedJournal[] {
  const newestSegment = 'FROM journal_segments WHERE journal = number ORDER BY id DESC LIMIT 1'
  // Both times are those of the journal's own host, whose clock may differ from the server's.
  return database
    .prepare<[string], SharedJournal>(
      `SELECT journal_id, host, version, last_seen, caught_up_at, ${IS_PROJECTED} AS projector_running,
         (SELECT coalesce(sum(rejected_lines), 0)::bigint FROM journal_segments WHERE journal = number) AS rejected_lines,
         CASE WHEN caught_up_at >= newest THEN 0
           ELSE round(greatest(0, extract(epoch FROM clock_timestamp() - newest)), 1) END AS lag_seconds
       FROM (SELECT *, (SELECT caught_up_at ${newestSegment}) AS caught_up_at,
           (SELECT max(timestamp) FROM requests
            WHERE journal = number AND id = number * ${IDS_PER_JOURNAL}::bigint + next_ordinal - 1) AS newest
         FROM journals) AS journals
       ORDER BY number`,
    )
    .all(lockName(schema))
}

/** How many events and lines of a journal are projected, of segments not pruned. */
export interface JournalCounts {
  /** Requests and completions. */
  events: number
  late: number
  unchecked: number
  /** Completions whose request hasn't been projected. */
  held: number
}

/** Counts what is projected of each journal of a PostgreSQL database, by the journal's id. */
export function journalCounts(database: QueryDatabase): Map<string, JournalCounts> {
  const rows = database.prepare<[], JournalCounts & { journal_id: string }>(
    `SELECT journal_id, coalesce(events, 0) AS events, coalesce(late, 0) AS late,
       coalesce(unchecked, 0) AS unchecked, coalesce(held, 0) AS held
     FROM journals
     LEFT JOIN (SELECT journal, sum(requests + completions)::bigint AS events,
         sum(late_lines)::bigint AS late, sum(unchecked_lines)::bigint AS unchecked
       FROM journal_segments GROUP BY journal) AS segments ON segments.journal = number
     LEFT JOIN (SELECT journal, count(*) AS held FROM held_completions GROUP BY journal) AS completions
       ON completions.journal = number`,
  )
  return new Map(rows.all().map(({ journal_id, ...counts }) => [journal_id, counts]))
}

/** The size of the PostgreSQL database, all schemas included. */
export function databaseBytes(database: QueryDatabase): number {
  const size = database.prepare<[], number>('SELECT pg_database_size(current_database())')
  return size.pluck().get() ?? 0
}

/** Lists the other journals of a PostgreSQL database, those that were seen last first. */
export function otherJournals(
  database: QueryDatabase,
  schema: string,
  journal: number,
): { other_journals: OtherJournal[]; more_journals: number } {
  const rows = database.prepare<[string, number], OtherJournal>(
    `SELECT journal_id, host, last_seen, ${IS_PROJECTED} AS projector_running,
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
