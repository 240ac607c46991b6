import { inRange } from '../condition.js'
import type { Dialect } from '../dialect.js'
import { costBillionthsSql, UNENDED_SQL, wholeCostSql, wholeNumberSql } from './sql-expressions.js'
import { STORED_COLUMNS } from './stored-row.js'

/** The SQL of SQLite. store/dialect.ts explains the members. */
export const SQLITE: Dialect = {
  storedColumns: STORED_COLUMNS,
  rowKey: 'id',
  unindexed: 'NOT INDEXED',
  unindexedTimestamp: '+timestamp',
  least: '-9e999',
  isInSums: '(segment_id IS NOT NULL OR id <= (SELECT last_id FROM rollup_unjournaled))',
  isAdded: 'segment_id IS NULL AND id > (SELECT last_id FROM rollup_unjournaled)',
  isUnended: UNENDED_SQL,
  newestFirst: 'id DESC',
  // CROSS JOIN fixes the order of the tables. With JOIN, SQLite would read all names first.
  totalsWithNames: 'rollup_totals CROSS JOIN rollup_names ON key = group_name',
  priceColumns: '*',
  rateColumns: '*',
  journals: 'SELECT DISTINCT 0 AS number, journal_id, NULL AS host FROM journal_segments',
  journal: '0',

  ofJournals: () => [],
  isJournal: (name) => ({ sql: 'journal_id = ?', values: [name] }),
  isTrue: (column) => `${column} <> 0`,
  isFalse: (column) => `${column} = 0`,
  count: (condition) => `sum(${condition})`,
  largeSum: (expression) => `sum((${expression}) >> 32), sum((${expression}) & 4294967295)`,
  wholeCost: wholeCostSql,
  costBillionths: costBillionthsSql,
  storedWholeCost: (currency, prefix = '') => `${prefix}cost_${currency}`,
  storedCostBillionths: (currency, prefix = '') => `${prefix}cost_nano${currency}`,
  integer: (column) => `CAST(${column} AS INTEGER)`,
  // Unlike sum(), total() gives a very large number rather than an error when absurd costs add up
  // to more than 2^63.
  integerSum: (column) => `CAST(total(${column}) AS INTEGER)`,
  wholeNumber: wholeNumberSql,
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
  journalOf: () => 0,
  isOfJournal: () => [],
  isSameJournal: () => 'TRUE',
  isShared: false,
  sortsGroups: true,
}
