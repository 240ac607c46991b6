import type { Database } from '../../store/sqlite/connection/database.js'
import { checkedFilter, rowCondition } from '../window/filter.js'
import { FULL_COLUMNS, type FullRow, type JournalPlace, journalPlace } from './full-row.js'
import { type JournalLine, missing, readJournalLine } from './journal-line.js'
import { type DetailedEntry, detailedEntry } from './request-entry.js'

/** The body of `GET /v1/requests/:id`: the whole row. */
export interface RequestDetail extends DetailedEntry {
  provider_cost_sats: number | null
  /** Null: the row was there before the journal. */
  place: JournalPlace | null
  /** Of the stream_completed that changed the row last; null: none has. */
  completed_place: JournalPlace | null
  line: JournalLine
  /** Null: there is no completion. */
  completed_line: JournalLine | null
}

export interface GetRequestOptions {
  /** The journal's directory. @default the lines are not read */
  journal?: string | undefined
  /** false: a line in an archive is an error at once, rather than seconds later the line. @default true */
  readArchives?: boolean | undefined
}

/**
 * One request with all that is known of it, the journal's own lines included; null when there is no such id. A line that
 * can't be read says why; nothing is thrown for it.
 *
 * @throws ArchivedLineError with `readArchives: false`.
 */
export async function getRequest(
  database: Database,
  id: number,
  options: GetRequestOptions = {},
): Promise<RequestDetail | null> {
  const statement = database.prepare<[number], FullRow>(`SELECT ${FULL_COLUMNS} FROM requests WHERE id = ?`)
  const row = statement.get(id)
  return row === undefined ? null : detailOf(row, options)
}

/** Details that one answer may have: their lines are read one by one. */
const MAX_DETAILS = 100

/**
 * All that is logged of one request, its attempts for example, in the order of their ids: the newest 100, if there are
 * more. Empty for a correlation_id that no request has.
 *
 * @throws ArchivedLineError with `readArchives: false`.
 */
export async function getRequestsOf(
  database: Database,
  correlationId: string,
  options: GetRequestOptions = {},
): Promise<RequestDetail[]> {
  const { sql, values } = rowCondition(checkedFilter(database, { correlationId }))
  const rows = database
    .prepare<unknown[], FullRow>(
      `SELECT ${FULL_COLUMNS} FROM requests WHERE ${sql} ORDER BY id DESC LIMIT ${MAX_DETAILS}`,
    )
    .all(...values)
  const details: RequestDetail[] = []
  for (const row of rows.reverse()) details.push(await detailOf(row, options))
  return details
}

async function detailOf(
  row: FullRow,
  { journal, readArchives = true }: GetRequestOptions,
): Promise<RequestDetail> {
  const place = journalPlace(row.segment_id, row.byte_offset)
  const completedPlace = journalPlace(row.completed_segment_id, row.completed_byte_offset)
  const lineAt = async (at: JournalPlace | null): Promise<JournalLine> => {
    if (at === null) return missing('the row is not from the journal')
    if (journal === undefined) return missing('no journal was named to read it from')
    return await readJournalLine(journal, at, row.correlation_id, readArchives)
  }
  return {
    ...detailedEntry(row, Date.now()),
    provider_cost_sats: row.provider_cost_sats,
    place,
    completed_place: completedPlace,
    line: await lineAt(place),
    completed_line: completedPlace === null ? null : await lineAt(completedPlace),
  }
}
