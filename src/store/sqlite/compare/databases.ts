import { type Database, openDatabaseReadOnly } from '../connection/database.js'
import { asDatabaseError } from '../connection/errors.js'
import { type PendingCosts, pendingCosts } from './pending-costs.js'
import { type RequestDifference, requestDifferences } from './requests.js'
import { type ComparedTable, differencesOf, isSameCell, pairIds, type Row, reportedCell } from './tables.js'

/** How a table differs from that of a rebuilt database. */
export interface TableDifference {
  table: string
  /** Rows that only the other database has. */
  added: number
  /** Rows that the other database doesn't have. */
  removed: number
  /** Rows that both have, and that differ. */
  changed: number
  /** In how many of the changed rows each column differs. */
  columns: Record<string, number>
  /** The first five. */
  examples: RowChange[]
}

/**
 * One row as it is, and as it would be in a rebuilt database. Of a changed row only the columns
 * that differ are given. Null if there is no such row.
 */
export interface RowChange {
  key: Record<string, unknown>
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}

const MAX_EXAMPLES = 5
const PLACE = ['segment_id', 'byte_offset']
const OF_DIMENSIONS = { column: 'dimension_id', by: 'dimensions' }
const ROLLUP_KEY = ['grain', 'period', 'dimension_id']
const TOTAL_KEY = ['grain', 'grouped_by', 'period', 'group_name']

/**
 * Every projection except `requests`. If the two databases assign the ids of a table in different
 * orders, `paired` names the pairs that match them.
 */
const TABLES: readonly (ComparedTable & { isOfSums?: true })[] = [
  { name: 'prices', key: PLACE },
  { name: 'exchange_rates', key: PLACE },
  { name: 'rejected_lines', key: PLACE },
  { name: 'held_completions', key: PLACE },
  { name: 'superseded_completions', key: PLACE },
  { name: 'token_ratio_sums', key: ['policy'] },
  { name: 'token_ratios', key: ['policy'] },
  { name: 'rollup_dimensions', key: ['id'], paired: { column: 'id', by: 'dimensions' } },
  { name: 'rollups', key: ROLLUP_KEY, paired: OF_DIMENSIONS, isOfSums: true },
  { name: 'rollup_latencies', key: ROLLUP_KEY, paired: OF_DIMENSIONS },
  { name: 'rollup_totals', key: TOTAL_KEY, isOfSums: true },
  { name: 'rollup_total_latencies', key: TOTAL_KEY },
  { name: 'rollup_names', key: ['key'] },
  { name: 'request_counters', key: ['id'], paired: { column: 'id', by: 'counters' }, isOfSums: true },
  {
    name: 'latency_counters',
    key: ['counter_id', 'le_ms'],
    paired: { column: 'counter_id', by: 'counters' },
  },
  { name: 'journal_segments', key: ['id'], ignored: ['device', 'inode', 'caught_up_at'] },
]

/**
 * Compares every projection of a database with that of a rebuilt one. Tables that don't differ are
 * left out. Costs aren't compared while rows of the database wait to be repriced.
 *
 * @throws DatabaseError if there is no such database, or it can't be read.
 */
export function differencesBetween(databasePath: string, rebuiltPath: string): TableDifference[] {
  const database = openDatabaseReadOnly(databasePath)
  try {
    database.prepare('ATTACH ? AS expected').run(rebuiltPath)
    return database.transaction(() => compareDatabases(database))()
  } catch (error) {
    throw asDatabaseError(error, databasePath)
  } finally {
    database.close()
  }
}

function compareDatabases(database: Database): TableDifference[] {
  const names = ['model', 'provider', 'policy']
  pairIds(database, { pairs: 'dimensions', table: 'rollup_dimensions', meaning: [...names, 'labels'] })
  pairIds(database, { pairs: 'counters', table: 'request_counters', meaning: names })
  const pending = pendingCosts(database)
  const differences = [
    requestDifference(database, pending),
    ...TABLES.map(({ isOfSums, ignored = [], ...table }) =>
      tableDifference(database, { ...table, ignored: isOfSums ? [...ignored, ...pending.ofSums] : ignored }),
    ),
  ]
  return differences.filter(({ added, removed, changed }) => added + removed + changed > 0)
}

function requestDifference(database: Database, { ofRequests }: PendingCosts): TableDifference {
  const difference = emptyDifference('requests')
  for (const found of requestDifferences(database, ofRequests)) {
    const [before, after] = rowsOf(found).map((row) => row && without(row, ofRequests))
    const row = before ?? after
    const key = { segment_id: row?.['segment_id'], byte_offset: row?.['byte_offset'] }
    add(difference, key, before ?? null, after ?? null)
  }
  return difference
}

/**
 * Returns the row before and after a replay. A doubled row would be removed, and so would one that
 * has no line.
 */
function rowsOf(difference: RequestDifference): [Row | null, Row | null] {
  switch (difference.kind) {
    case 'missing':
      return [null, difference.expected]
    case 'surplus':
    case 'doubled':
      return [difference.found, null]
    case 'altered':
    case 'moved':
      return [difference.found, difference.expected]
  }
}

function without(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(Object.entries(row).filter(([column]) => !columns.includes(column)))
}

function tableDifference(database: Database, table: ComparedTable): TableDifference {
  const difference = emptyDifference(table.name)
  const { ignored = [], paired } = table
  for (const { expected, found } of differencesOf(database, table)) {
    const row = found ?? expected
    const key = Object.fromEntries(table.key.map((column) => [column, row?.[column]]))
    // An id of a paired row means nothing in the other database.
    const leftOut = paired === undefined ? ignored : [...ignored, paired.column]
    const [before, after] = [found, expected].map((one) => one && without(one, leftOut))
    add(difference, key, before ?? null, after ?? null)
  }
  return difference
}

function add(difference: TableDifference, key: Row, before: Row | null, after: Row | null): void {
  let change: Pick<RowChange, 'before' | 'after'> = { before, after }
  if (before === null) difference.added++
  else if (after === null) difference.removed++
  else {
    difference.changed++
    const columns = Object.keys(after).filter((column) => !isSameCell(before[column], after[column]))
    for (const column of columns) difference.columns[column] = (difference.columns[column] ?? 0) + 1
    const pick = (row: Row) => Object.fromEntries(columns.map((column) => [column, row[column]]))
    change = { before: pick(before), after: pick(after) }
  }
  if (difference.examples.length >= MAX_EXAMPLES) return
  difference.examples.push({
    key: asReported(key),
    before: change.before && asReported(change.before),
    after: change.after && asReported(change.after),
  })
}

function asReported(row: Row): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, reportedCell(value)]))
}

function emptyDifference(table: string): TableDifference {
  return { table, added: 0, removed: 0, changed: 0, columns: {}, examples: [] }
}
