import { MAX_COST } from '../../../folds/sums/counted-values.js'
import { type Condition, inRange, type TextRange } from '../../condition.js'
import type { Dialect } from '../../dialect.js'
import { PACKED_COLUMNS } from '../../outcome-columns.js'
import { READ_COLUMNS } from '../../sqlite/stored-row.js'
import { PRICE_COLUMNS, RATE_COLUMNS } from '../price-rows.js'
import { IDS_PER_JOURNAL } from '../row-ids.js'

const PACKED = PACKED_COLUMNS.join(', ')

/** The columns of `RequestColumns` that are expressions here rather than columns. */
const CONVERTED: Readonly<Record<string, string>> = {
  streaming: 'streaming::int AS streaming',
  success: 'success::int AS success',
  details: `CASE WHEN num_nonnulls(${PACKED}) > 0 THEN json_build_array(${PACKED})::text END AS details`,
}

/**
 * The formats of a day, an hour and a minute, by the length of the timestamp's prefix that names
 * it.
 */
const BEGINNINGS: Readonly<Record<number, string>> = {
  10: 'YYYY-MM-DD',
  13: 'YYYY-MM-DD"T"HH24',
  16: 'YYYY-MM-DD"T"HH24:MI',
}

/** Lower case of ASCII letters only, as in SQLite. */
const lower = (text: string) => `lower(${text} COLLATE "C")`

const limited = (column: string) => {
  const limit = MAX_COST.toFixed(1)
  return `greatest(-${limit}, least(${limit}, coalesce(${column}, 0)::double precision))`
}

/** The SQL of PostgreSQL, about the rows of all journals. */
export const POSTGRES: Dialect = {
  storedColumns: READ_COLUMNS.map((column) => CONVERTED[column] ?? column).join(', '),
  rowKey: 'journal, id',
  unindexed: '',
  unindexedTimestamp: 'timestamp',
  least: "'-Infinity'::numeric",
  isInSums: 'TRUE',
  isAdded: null,
  isUnended: `streaming AND success AND completed_segment_id IS NULL AND input_tokens IS NULL
    AND output_tokens IS NULL AND stream_duration_ms IS NULL`,
  newestFirst: 'timestamp DESC',
  totalsWithNames:
    'rollup_totals JOIN rollup_names ON rollup_names.journal = rollup_totals.journal AND key = group_name',
  priceColumns: PRICE_COLUMNS,
  rateColumns: RATE_COLUMNS,
  journalsQuery: 'SELECT number, journal_id, host FROM journals ORDER BY number',
  journalColumn: 'journal',

  journalConditions: (journal) => {
    const named = journal === undefined ? { sql: 'TRUE', values: [] } : hasJournalName(journal)
    return [
      { sql: `journal = ANY(ARRAY(SELECT number FROM journals WHERE ${named.sql}))`, values: named.values },
    ]
  },
  hasJournalName,
  isTrue: (column) => column,
  isFalse: (column) => `NOT ${column}`,
  count: (condition) => `count(*) FILTER (WHERE ${condition})`,
  // PostgreSQL sums 64-bit integers to numbers of any size.
  largeSum: (expression) => `0, sum(${expression})`,
  wholeCost: (column) => `trunc(${limited(column)})::bigint`,
  costBillionths: (column) => {
    const cost = limited(column)
    const rest = `(${cost} - trunc(${cost})) * 1e9`
    // round() would round half to even.
    return `trunc(${rest} + 0.5 * sign(${rest}))::bigint`
  },
  storedWholeCost: (currency, prefix = '') => `trunc(${prefix}cost_${currency})`,
  storedCostBillionths: (currency, prefix = '') => {
    const cost = `${prefix}cost_${currency}`
    return `trunc((${cost} - trunc(${cost})) * 1000000000)`
  },
  integer: (column) => column,
  integerSum: (column) => `sum(${column})`,
  wholeNumber: (column, limit) => `greatest(-${limit}, least(${limit}, coalesce(${column}, 0)))`,
  ignoringCase: lower,
  inByteOrder: (text) => `(${text}) COLLATE "C"`,
  equalsIgnoringCase: (text) => `${lower(text)} = ${lower('?::text')}`,
  list: (values, ignoresCase = false) => {
    const value = typeof values[0] === 'number' ? 'value::bigint' : ignoresCase ? lower('value') : 'value'
    const texts = values.map((text) => (typeof text === 'string' ? storable(text) : text))
    const sql = `(SELECT ${value} FROM json_array_elements_text(?::json) AS list(value))`
    return { sql, values: [JSON.stringify(texts)] }
  },
  label: (name) => ({ sql: 'labels ->> ?::text', values: [name] }),
  contains: (column) => `strpos(${lower(column)}, ${lower('?::text')}) > 0`,
  beginsWith: (text) => `${lower(`substr(${text}, 1, ?)`)} = ${lower('?::text')}`,
  beginning: (timestamp, length) => `to_char(${timestamp}, '${BEGINNINGS[length]}')`,
  timestampIn: (column, range) => inRange(column, instantsIn(range)),
  withDimensions: (
    table,
  ) => `${table} JOIN (SELECT journal, id AS dimension_id, model, provider, policy, labels
    FROM rollup_dimensions) AS dimensions USING (journal, dimension_id)`,
  hasId: (id) => ({ sql: 'journal = ? AND id = ?', values: [journalNumberOf(id), id] }),
  isAfterId: (id) => ({ sql: '(journal, id) > (?, ?)', values: [journalNumberOf(id), id] }),
  isThereNow: (database) => {
    const journals = database.prepare<[], { number: number; next_ordinal: number }>(
      'SELECT number, next_ordinal FROM journals',
    )
    const ends = journals
      .all()
      .map(({ number, next_ordinal }) => `WHEN ${number} THEN ${number * IDS_PER_JOURNAL + next_ordinal}`)
    return { sql: ends.length === 0 ? 'FALSE' : `id < CASE journal ${ends.join(' ')} ELSE 0 END`, values: [] }
  },
  journalNumberOf,
  isInJournal: (journal): Condition[] => [{ sql: 'journal = ?', values: [journal] }],
  isSameJournal: (table, other) => `${table}.journal = ${other}.journal`,
  isShared: true,
  sortsGroups: false,
}

function hasJournalName(name: string): Condition {
  return { sql: '(journal_id = ? OR host = ?)', values: [name, name] }
}

function journalNumberOf(id: number): number {
  return Math.floor(id / IDS_PER_JOURNAL)
}

/** Returns a string as PostgreSQL can store it. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}

/**
 * Converts a range of strings to a range of instants. A bound is a canonical timestamp, or the
 * prefix of timestamps that names a period of UTC (for its beginning), or that prefix followed by
 * U+10FFFF (for its end).
 */
function instantsIn({ from, after, to, before }: TextRange): TextRange {
  return {
    from: from === undefined ? from : instantOf(from),
    after,
    to,
    before: before === undefined ? before : instantOf(before),
  }
}

const HOUR_MS = 3_600_000
const LENGTHS_MS: Readonly<Record<number, number>> = { 10: 24 * HOUR_MS, 13: HOUR_MS, 16: 60_000 }
/**
 * Every canonical timestamp has this many characters. Instants after the year 9999 would have more.
 */
const CANONICAL_LENGTH = 24
/** Sorts after all instants. */
const NO_INSTANT = 'infinity'

/** The first instant whose canonical timestamp doesn't sort before a string. */
function instantOf(text: string): string {
  if (text.length === CANONICAL_LENGTH) return text
  const isEnd = text.endsWith('\u{10ffff}')
  const period = isEnd ? text.slice(0, -'\u{10ffff}'.length) : text
  const lengthMs = LENGTHS_MS[period.length]
  // Any other string is the end of a time zone's last period, after which no timestamp sorts.
  if (lengthMs === undefined) return NO_INSTANT
  const startMs = Date.parse(`${period}${'0000-00-00T00:00:00.000Z'.slice(period.length)}`)
  const instant = new Date(isEnd ? startMs + lengthMs : startMs).toISOString()
  return instant.length === CANONICAL_LENGTH ? instant : NO_INSTANT
}
