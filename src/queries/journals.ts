import { dialectOf, type QueryDatabase } from '../store/query-database.js'

/** A journal that a database has rows of. */
export interface NamedJournal {
  /** The value of `Dialect.journalColumn` in its rows. */
  number: number
  journalId: string
  /** The name of its host, if no other journal has the same one; otherwise its id. */
  name: string
}

/** Lists the journals of a database. A file has one, or none yet. */
export function namedJournals(database: QueryDatabase): NamedJournal[] {
  const rows = database
    .prepare<[], { number: number; journal_id: string; host: string | null }>(
      dialectOf(database).journalsQuery,
    )
    .all()
  const hosts = new Map<string | null, number>()
  for (const { host } of rows) hosts.set(host, (hosts.get(host) ?? 0) + 1)
  return rows.map(({ number, journal_id, host }) => {
    return { number, journalId: journal_id, name: host !== null && hosts.get(host) === 1 ? host : journal_id }
  })
}
