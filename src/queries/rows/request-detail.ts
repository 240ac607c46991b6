import type { PricePart } from '../../events/event-types.js'
import type { CostSource, Currency } from '../../folds/costs/row-cost.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { detailsOf } from '../../store/sqlite/stored-row.js'
import { type CostOrigin, costOrigin } from '../costs/cost-origin.js'
import { namedJournals } from '../journals.js'
import { checkedFilter, rowCondition } from '../window/filter.js'
import { type FullRow, fullColumns, type JournalPlace, journalPlace } from './full-row.js'
import { isJournalHere, type JournalLine, missing, readJournalLine, readStoredLine } from './journal-line.js'
import { type DetailedEntry, detailedEntry } from './request-entry.js'

/** The body of `GET /v1/requests/:id`: the whole row, and its lines. */
export interface RequestDetail extends DetailedEntry, CostOrigin {
  /** The model that the provider says answered. */
  response_model: string | null
  /** The tier that the provider billed. */
  service_tier: string | null
  /** The numbers of tokens, and of parts of them. */
  tokens: DetailedEntry['tokens'] & Record<TokenPart, number | null>
  provider_cost_sats: number | null
  provider_cost_usd: number | null
  /** The source of the costs. Null: they are unknown. */
  cost_source: CostSource | null
  /**
   * The currency of the source's figure. The cost in the other currency is converted from it. Null:
   * the source has both, or there are no costs.
   */
  cost_currency: Currency | null
  /** The journal, by its host's name or its id; only with PostgreSQL, which has many journals. */
  journal?: string
  /** Null: the row isn't from the journal. */
  place: JournalPlace | null
  /** The place of the stream_completed that changed the row last; null if none has. */
  completed_place: JournalPlace | null
  line: JournalLine
  /** Null: there is no completion. */
  completed_line: JournalLine | null
}

type TokenPart = Exclude<PricePart, 'input' | 'output'>

export interface GetRequestOptions {
  /**
   * The directory of the journal from which lines are read. Lines of other journals are read from
   * the copy that PostgreSQL holds.
   * @default no lines are read from files
   */
  journal?: string | undefined
  /**
   * Whether to read lines from archives, which may take some seconds. If false, such a line is an
   * error at once.
   * @default true
   */
  readArchives?: boolean | undefined
}

/**
 * Reads one request with all that is known about it, including its lines in the journal; null if no
 * request has this id. A line that can't be read is replaced by the reason, not thrown.
 *
 * @throws ArchivedLineError with `readArchives: false`.
 */
export async function getRequest(
  database: QueryDatabase,
  id: number,
  options: GetRequestOptions = {},
): Promise<RequestDetail | null> {
  const { sql, values } = dialectOf(database).hasId(id)
  const statement = database.prepare<unknown[], FullRow>(
    `SELECT ${fullColumns(database)} FROM requests WHERE ${sql}`,
  )
  const row = statement.get(...values)
  return row === undefined ? null : detailOf(database, row, options)
}

/** How many requests one answer may have: their lines are read one by one. */
const MAX_DETAILS = 100

/**
 * Reads all that is logged under a correlation_id, such as the attempts at one request, in the
 * order of their ids; the newest 100 if there are more. Empty if no request has this
 * correlation_id.
 *
 * @throws ArchivedLineError with `readArchives: false`.
 */
export async function getRequestsOf(
  database: QueryDatabase,
  correlationId: string,
  options: GetRequestOptions = {},
): Promise<RequestDetail[]> {
  const { sql, values } = rowCondition(database, checkedFilter(database, { correlationId }))
  const rows = database
    .prepare<unknown[], FullRow>(
      `SELECT ${fullColumns(database)} FROM requests WHERE ${sql} ORDER BY id DESC LIMIT ${MAX_DETAILS}`,
    )
    .all(...values)
  const details: RequestDetail[] = []
  for (const row of rows.reverse()) details.push(await detailOf(database, row, options))
  return details
}

async function detailOf(
  database: QueryDatabase,
  row: FullRow,
  { journal, readArchives = true }: GetRequestOptions,
): Promise<RequestDetail> {
  const place = journalPlace(row.segment_id, row.byte_offset)
  const completedPlace = journalPlace(row.completed_segment_id, row.completed_byte_offset)
  const { isShared, journalNumberOf } = dialectOf(database)
  const number = journalNumberOf(row.id)
  const isElsewhere = isShared && (journal === undefined || !isJournalHere(database, journal, number))
  const lineAt = async (at: JournalPlace | null, segmentId: number | null): Promise<JournalLine> => {
    if (at === null || segmentId === null) return missing('the row is not from the journal')
    if (isElsewhere) return readStoredLine(database, { journal: number, segmentId }, at, row.correlation_id)
    if (journal === undefined) return missing('no journal was named to read it from')
    return await readJournalLine(journal, at, row.correlation_id, readArchives)
  }
  const entry = detailedEntry(row, Date.now())
  const details = detailsOf(row.details)
  return {
    ...entry,
    response_model: details.response_model,
    service_tier: details.service_tier,
    tokens: {
      ...entry.tokens,
      cache_read_input: details.cache_read_input_tokens,
      cache_creation_input: details.cache_creation_input_tokens,
      cache_creation_1h_input: details.cache_creation_1h_input_tokens,
      audio_input: details.audio_input_tokens,
      image_input: details.image_input_tokens,
      reasoning_output: details.reasoning_output_tokens,
      audio_output: details.audio_output_tokens,
    },
    provider_cost_sats: row.provider_cost_sats,
    provider_cost_usd: row.provider_cost_usd,
    cost_source: row.cost_source,
    cost_currency: row.cost_currency,
    ...costOrigin(database, row),
    ...(isShared ? { journal: nameOfJournal(database, number) } : {}),
    place,
    completed_place: completedPlace,
    line: await lineAt(place, row.segment_id),
    completed_line: completedPlace === null ? null : await lineAt(completedPlace, row.completed_segment_id),
  }
}

function nameOfJournal(database: QueryDatabase, number: number): string {
  return namedJournals(database).find((journal) => journal.number === number)?.name ?? String(number)
}
