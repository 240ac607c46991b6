import { grouped } from '../../folds/grouped.js'
import { unfinishedUntil } from '../../folds/sums/counted-values.js'
import { IDS_PER_JOURNAL } from '../../store/postgres/row-ids.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { checkedFilter, type RequestFilter, storedNames } from '../window/filter.js'
import {
  DEFAULT_CHARACTERS,
  DEFAULT_LIMIT,
  isOpenSql,
  MAX_OPEN,
  MAX_SCANNED,
  type NewRequests,
  type NewRequestsOptions,
  TailAnswer,
  type TailRow,
  tailFilter,
  tailRows,
} from './tail-answer.js'
import { formatPositions, type JournalPositions, parsePositions } from './tail-position.js'

// The rows of one journal become visible in the order of their ordinals, since one projector
// commits them. Rows of different journals become visible in any order, so a tail keeps a position
// in each journal.

/** The new rows of one journal: those after one id, up to and including another. */
interface News {
  journal: number
  afterId: number
  throughId: number
}

/** At least this many ids of each journal are scanned, however many journals there are. */
const MIN_SCANNED = 100

/** Reads the requests of all journals that were added after a position: see `newRequests`. */
export function newSharedRequests(database: QueryDatabase, options: NewRequestsOptions): NewRequests {
  const { afterId, openIds = [], limit = DEFAULT_LIMIT, maxCharacters = DEFAULT_CHARACTERS } = options
  return database.transaction(() => {
    const named = storedNames(options.filter ?? {})
    const ends = lastOrdinals(database)
    if (afterId === null) {
      checkedFilter(database, named)
      return { data: [], completed: [], last_id: formatPositions(ends), open_ids: [], has_more: false }
    }
    const asked = parsePositions(afterId)
    // If a journal isn't in the position, all of its rows are new. The position may be ahead of
    // tables that were made anew, or restored.
    const isAhead = [...asked].some(([journal, last]) => last > (ends.get(journal) ?? 0))
    const known = new Map(
      [...ends].map(([journal, end]) => [journal, Math.min(end, asked.get(journal) ?? 0)]),
    )
    const filter = tailFilter(database, named)
    const resumed = openIds === null ? findMissed(database, known) : null
    const watched = resumed ?? { ids: openIds ?? [], from: options.openFrom }
    const answer = new TailAnswer(filter.now ?? Date.now(), maxCharacters)
    for (const row of readIds(database, filter, watched.ids, watched.from)) answer.addWatched(row)
    const gap = isAhead || resumed?.hasGap ? { has_gap: true as const } : {}
    // No new requests while a completion waits to be sent: a caller that has a position has
    // everything that was completed before it.
    if (answer.isFull) return { ...answer.end(formatPositions(known)), has_more: true, ...gap }
    const { reached, positions } = readNew(database, filter, known, ends, limit, answer)
    const hasMore = [...ends].some(([journal, end]) => (reached.get(journal) ?? 0) < end)
    return { ...answer.end(formatPositions(reached)), positions, has_more: hasMore, ...gap }
  })()
}

function lastOrdinals(database: QueryDatabase): JournalPositions {
  const sql = 'SELECT number, next_ordinal - 1 FROM journals'
  return new Map(database.prepare<[], [number, number]>(sql).raw().all())
}

/** Reads new rows that match, and new streams that may match once they have ended. */
function readNew(
  database: QueryDatabase,
  filter: RequestFilter,
  known: JournalPositions,
  ends: JournalPositions,
  limit: number,
  answer: TailAnswer,
): { reached: JournalPositions; positions: string[] } {
  const reached = new Map(known)
  const positions: string[] = []
  const waiting = [...ends].filter(([journal, end]) => (known.get(journal) ?? 0) < end)
  if (waiting.length === 0) return { reached, positions }
  // Each journal has its share, so that one with a long backlog doesn't hold the others back.
  const scanned = shareOf(MAX_SCANNED, waiting.length)
  const share = Math.ceil(limit / waiting.length)
  const news = waiting.map(([journal, end]): News => {
    const after = known.get(journal) ?? 0
    const through = Math.min(end, after + scanned)
    return {
      journal,
      afterId: journal * IDS_PER_JOURNAL + after,
      throughId: journal * IDS_PER_JOURNAL + through,
    }
  })
  const queues = readNews(database, filter, news, share)
  for (const row of byTime([...queues.values()])) {
    const journal = Math.floor(row.id / IDS_PER_JOURNAL)
    reached.set(journal, row.id % IDS_PER_JOURNAL)
    if (answer.addNew(row)) positions.push(formatPositions(reached))
    if (answer.isFull) break
  }
  for (const { journal, throughId } of news) {
    const rows = queues.get(journal) ?? []
    const last = rows.at(-1)
    const isWhole =
      rows.length < share && (last === undefined || reached.get(journal) === last.id % IDS_PER_JOURNAL)
    if (isWhole) reached.set(journal, throughId % IDS_PER_JOURNAL)
  }
  return { reached, positions }
}

/** Reads the first new rows of each journal, in the order of their ids, by the journal's number. */
function readNews(
  database: QueryDatabase,
  filter: RequestFilter,
  news: readonly News[],
  limit: number,
): Map<number, TailRow[]> {
  const isNew = { sql: 'journal = number AND id > after_id AND id <= through_id', values: [] }
  const { sql, values } = tailRows(database, filter, isNew)
  const rows = database
    .prepare<unknown[], TailRow>(
      `SELECT tail.* FROM (VALUES ${news.map(newsValues).join(', ')}) AS news (number, after_id, through_id)
       CROSS JOIN LATERAL (SELECT * FROM (${sql}) AS matching WHERE is_open = 1 OR is_wanted = 1
         ORDER BY id LIMIT ${limit}) AS tail`,
    )
    .all(...values)
  return grouped(rows, ({ id }) => Math.floor(id / IDS_PER_JOURNAL))
}

function newsValues({ journal, afterId, throughId }: News): string {
  return `(${journal}, ${afterId}, ${throughId})`
}

/** Merges the rows of journals by their timestamps, keeping the order within each journal. */
function* byTime(queues: readonly TailRow[][]): Generator<TailRow> {
  const nexts = queues.map(() => 0)
  for (;;) {
    let first: { row: TailRow; queue: number } | null = null
    for (const [queue, rows] of queues.entries()) {
      const row = rows[nexts[queue] ?? 0]
      if (row !== undefined && (first === null || row.timestamp < first.row.timestamp)) first = { row, queue }
    }
    if (first === null) return
    nexts[first.queue] = (nexts[first.queue] ?? 0) + 1
    yield first.row
  }
}

function* readIds(
  database: QueryDatabase,
  filter: RequestFilter,
  ids: readonly number[],
  from: string | undefined,
): Generator<TailRow> {
  if (ids.length === 0) return
  const keys = ids.slice(-MAX_OPEN).map((id) => `(${Math.floor(id / IDS_PER_JOURNAL)}, ${id})`)
  const since = dialectOf(database).timestampIn('timestamp', { from })
  const { sql, values } = tailRows(database, filter, {
    sql: `(journal, id) IN (VALUES ${keys.join(', ')}) AND ${since.sql}`,
    values: since.values,
  })
  yield* database.prepare<unknown[], TailRow>(`${sql} ORDER BY id`).all(...values)
}

/**
 * Finds the streams up to a position that haven't ended, and those that were completed since then:
 * the line of their completion is after the line of their journal's newest request up to there.
 */
function findMissed(
  database: QueryDatabase,
  positions: JournalPositions,
): { ids: number[]; from: string | undefined; hasGap: boolean } {
  if (positions.size === 0) return { ids: [], from: undefined, hasGap: false }
  const scanned = shareOf(MAX_SCANNED, positions.size)
  const places = [...positions].map(([journal, last]) => `(${journal}, ${journal * IDS_PER_JOURNAL + last})`)
  const newest = `(VALUES ${places.join(', ')}) AS positions (number, last_id)
    CROSS JOIN LATERAL (SELECT timestamp, segment_id, byte_offset FROM requests
      WHERE journal = number AND id <= last_id ORDER BY id DESC LIMIT 1) AS newest`
  const found = database
    .prepare<[], { id: number; timestamp: string; is_open: boolean }>(
      `SELECT id, missed.timestamp, is_open FROM ${newest}
       CROSS JOIN LATERAL (SELECT id, requests.timestamp, ${isOpenSql(database)} AS is_open,
           (completed_segment_id, completed_byte_offset) > (newest.segment_id, newest.byte_offset) AS is_later
         FROM requests WHERE journal = number AND id > last_id - ${scanned} AND id <= last_id) AS missed
       WHERE is_open OR is_later
       ORDER BY is_open, id DESC LIMIT ${MAX_OPEN}`,
    )
    .all()
  const ends = database
    .prepare<[], { timestamp: string; older: string | null }>(
      `SELECT newest.timestamp, (SELECT timestamp FROM requests
         WHERE journal = number AND id <= last_id - ${scanned} ORDER BY id DESC LIMIT 1) AS older FROM ${newest}`,
    )
    .all()
  // A stream of more than an hour counts as unfinished: it isn't watched any more.
  const isOld = ends.some(
    ({ timestamp, older }) => older !== null && older > unfinishedUntil(Date.parse(timestamp)),
  )
  const isCut = found.length === MAX_OPEN && found.at(-1)?.is_open === false
  const [from] = found.map(({ timestamp }) => timestamp).sort()
  return { ids: found.map(({ id }) => id), from, hasGap: isOld || isCut }
}

function shareOf(whole: number, parts: number): number {
  return Math.max(MIN_SCANNED, Math.floor(whole / parts))
}
