import { type Database, openDatabaseReadOnly } from '../connection/database.js'
import { asDatabaseError } from '../connection/errors.js'
import { type PendingCosts, pendingCosts } from './pending-costs.js'
import { requestDifferences } from './requests.js'
import {
  type ComparedTable,
  differencesOf,
  isSameValue,
  pairIds,
  type Row,
  type RowDifference,
  reportedValue,
} from './tables.js'

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
  for (const one of requestDifferences(database, ofRequests)) {
    const found = one.kind === 'missing' ? null : one.found
    // A replay would remove a row that has no line, and one whose place another row has already.
    const expected = one.kind === 'surplus' || one.kind === 'doubled' ? null : one.expected
    add(difference, { found, expected }, PLACE, ofRequests)
  }
  return difference
}

function tableDifference(database: Database, table: ComparedTable): TableDifference {
  const difference = emptyDifference(table.name)
  const { key, ignored = [], paired } = table
  // An id of a paired row means nothing in the other database.
  const leftOut = paired === undefined ? ignored : [...ignored, paired.column]
  for (const rows of differencesOf(database, table)) add(difference, rows, key, leftOut)
  return difference
}

function add(
  difference: TableDifference,
  { found, expected }: RowDifference,
  key: readonly string[],
  leftOut: readonly string[],
): void {
  const compared = Object.keys(expected ?? found ?? {}).filter((column) => !leftOut.includes(column))
  let shown = compared
  if (found === null) difference.added++
  else if (expected === null) difference.removed++
  else {
    difference.changed++
    shown = compared.filter((column) => !isSameValue(found[column], expected[column]))
    for (const column of shown) difference.columns[column] = (difference.columns[column] ?? 0) + 1
  }
  if (difference.examples.length >= MAX_EXAMPLES) return
  difference.examples.push({
    key: reported(found ?? expected ?? {}, key),
    before: found && reported(found, shown),
    after: expected && reported(expected, shown),
  })
}

/** Columns of a row, as a report can hold them. */
function reported(row: Row, columns: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(columns.map((column) => [column, reportedValue(row[column])]))
}

function emptyDifference(table: string): TableDifference {
  return { table, added: 0, removed: 0, changed: 0, columns: {}, examples: [] }
}
