import { MAX_COST, PARTS_OF_TOKENS } from '../../folds/sums/counted-values.js'
import { inRange } from '../condition.js'
import type { Dialect } from '../dialect.js'
import { STORED_COLUMNS } from './stored-row.js'

/** SQL for `isInconsistent`, in either store; null counts as false. */
export const INCONSISTENT_SQL = PARTS_OF_TOKENS.map(
  ([part, ...wholes]) => `coalesce(${part} > coalesce(${[...wholes, 'NULL'].join(', ')}), FALSE)`,
).join(' OR ')

const limited = (column: string) => {
  const limit = MAX_COST.toFixed(1)
  return `max(-${limit}, min(${limit}, coalesce(${column}, 0) * 1.0))`
}

/** The SQL of SQLite. store/dialect.ts explains the members. */
export const SQLITE: Dialect = {
  storedColumns: STORED_COLUMNS,
  rowKey: 'id',
  unindexed: 'NOT INDEXED',
  unindexedTimestamp: '+timestamp',
  least: '-9e999',
  isInSums: '(segment_id IS NOT NULL OR id <= (SELECT last_id FROM rollup_unjournaled))',
  isAdded: 'segment_id IS NULL AND id > (SELECT last_id FROM rollup_unjournaled)',
  isUnended: `streaming <> 0 AND success <> 0 AND completed_segment_id IS NULL AND input_tokens IS NULL
  AND output_tokens IS NULL AND stream_duration_ms IS NULL`,
  newestFirst: 'id DESC',
  // CROSS JOIN fixes the order of the tables. With JOIN, SQLite would read all names first.
  totalsWithNames: 'rollup_totals CROSS JOIN rollup_names ON key = group_name',
  priceColumns: '*',
  rateColumns: '*',
  journalsQuery: 'SELECT DISTINCT 0 AS number, journal_id, NULL AS host FROM journal_segments',
  journalColumn: '0',

  journalConditions: () => [],
  hasJournalName: (name) => ({ sql: 'journal_id = ?', values: [name] }),
  isTrue: (column) => `${column} <> 0`,
  isFalse: (column) => `${column} = 0`,
  count: (condition) => `sum(${condition})`,
  largeSum: (expression) => `sum((${expression}) >> 32), sum((${expression}) & 4294967295)`,
  wholeCost: (column) => `CAST(${limited(column)} AS INTEGER)`,
  costBillionths: (column) => {
    const cost = limited(column)
    return `CAST(round((${cost} - CAST(${cost} AS INTEGER)) * 1e9) AS INTEGER)`
  },
  storedWholeCost: (currency, prefix = '') => `${prefix}cost_${currency}`,
  storedCostBillionths: (currency, prefix = '') => `${prefix}cost_nano${currency}`,
  integer: (column) => `CAST(${column} AS INTEGER)`,
  // Unlike sum(), total() gives a very large number rather than an error when absurd costs add up
  // to more than 2^63.
  integerSum: (column) => `CAST(total(${column}) AS INTEGER)`,
  wholeNumber: (column, limit) => `max(-${limit}, min(${limit}, coalesce(CAST(${column} AS INTEGER), 0)))`,
  ignoringCase: (text) => `${text} COLLATE NOCASE`,
  inByteOrder: (text) => text,
  equalsIgnoringCase: (text) => `${text} = ? COLLATE NOCASE`,
  list: (values) => ({ sql: '(SELECT value FROM json_each(?))', values: [JSON.stringify(values)] }),
  label: (name) => ({
    // A JSON path can't be used here, because no quoting makes it safe for every name.
    sql: `CASE WHEN json_valid(labels) THEN
    (SELECT value FROM json_each(labels) WHERE key = ? AND type = 'text' LIMIT 1) END`,
    values: [name],
  }),
  // LIKE would treat % and _ as wildcards.
  contains: (column) => `instr(lower(${column}), lower(?)) > 0`,
  beginsWith: (text) => `lower(substr(${text}, 1, ?)) = lower(?)`,
  beginning: (timestamp, length) => `substr(${timestamp}, 1, ${length})`,
  timestampIn: inRange,
  withDimensions: (table) => `${table} JOIN rollup_dimensions ON rollup_dimensions.id = dimension_id`,
  hasId: (id) => ({ sql: 'id = ?', values: [id] }),
  isAfterId: (id) => ({ sql: 'id > ?', values: [id] }),
  isThereNow: (database) => {
    const lastId = database.prepare<[], number>('SELECT coalesce(max(id), 0) FROM requests').pluck().get()
    return { sql: 'id <= ?', values: [lastId ?? 0] }
  },
  journalNumberOf: () => 0,
  isInJournal: () => [],
  isSameJournal: () => 'TRUE',
  isShared: false,
  sortsGroups: true,
}
