import {
  type ComparedTable,
  columnsOf,
  differencesOf,
  differingKeys,
  pairIds,
  type Row,
  rowsOf,
} from '../../store/sqlite/compare/tables.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import type { Snapshot } from './snapshot.js'
import { type DifferingColumn, differingColumns, type ProblemList } from './verify-problems.js'

const DIMENSIONS = { column: 'dimension_id', by: 'dimensions' }
const MEANING = ['model', 'provider', 'policy', 'labels']

const ROLLUPS = { key: ['grain', 'period', 'dimension_id'], paired: DIMENSIONS }
const TOTALS = { key: ['grain', 'grouped_by', 'period', 'group_name'] }

/** Two tables with one key: sums, and the latencies of the same requests. */
interface SumTables {
  sums: ComparedTable
  latencies: ComparedTable
  describe(key: readonly unknown[]): string
}

/** Reports token ratios that aren't what the requests give. */
export function reportRatios(database: Database, problems: ProblemList): void {
  const means = { name: 'token_ratios', key: ['policy'] }
  const sums = { name: 'token_ratio_sums', key: ['policy'] }
  const rows = [means, sums].map((table) => rowsOf(database, table))
  for (const key of differingKeys(database, [means, sums])) {
    const columns = rows.flatMap(({ expected, found }, index) => {
      const differing = differingColumns(expected(key), found(key))
      return index === 0 ? differing : differing.map((one) => ({ ...one, column: nameOfSum(one.column) }))
    })
    problems.addWithoutPlace('ratio', {
      detail: `the token ratio of the policy ${JSON.stringify(key[0])} isn't what its requests give`,
      columns: columns.filter(({ column }) => column !== 'policy'),
    })
  }
}

/** Both tables have a column with this name. */
function nameOfSum(column: string): string {
  return column === 'sample_count' ? 'samples' : column
}

/** Reports roll-ups that aren't the sums of their requests. Of integers, any difference counts. */
export function reportRollups({ database, pendingCosts }: Snapshot, problems: ProblemList): void {
  const ignored = pendingCosts.ofSums
  pairIds(database, { pairs: 'dimensions', table: 'rollup_dimensions', meaning: MEANING })
  reportDimensions(database, problems)
  reportSums(database, problems, {
    sums: { ...ROLLUPS, name: 'rollups', ignored },
    latencies: { ...ROLLUPS, name: 'rollup_latencies' },
    describe: ([grain, period, dimension]) => `${grain} ${period}, dimension ${dimension}`,
  })
  const nameOf = database
    .prepare<[unknown], string>('SELECT name FROM main.rollup_names WHERE key = ?')
    .pluck()
  reportSums(database, problems, {
    sums: { ...TOTALS, name: 'rollup_totals', ignored },
    latencies: { ...TOTALS, name: 'rollup_total_latencies' },
    describe: ([grain, groupedBy, period, group]) => {
      const name = nameOf.get(group)
      const ofGroup = groupedBy === '' ? '' : ` of ${groupedBy} ${name === undefined ? group : `=${name}`}`
      return `${grain} ${period}, all${ofGroup}`
    },
  })
  for (const { expected, found } of differencesOf(database, { name: 'rollup_names', key: ['key'] })) {
    // A name that no total uses any more does no harm.
    if (expected === null) continue
    addProblem(problems, `no roll-up is of the long name ${shortened(expected['name'])}`)
    if (found !== null)
      addProblem(problems, `no request has the long name ${shortened(found['name'])} of roll-ups`)
  }
}

function reportDimensions(database: Database, problems: ProblemList): void {
  const missing = database.prepare<[], Row>(
    `SELECT model, provider, policy, labels FROM expected.rollup_dimensions
     WHERE id NOT IN (SELECT expected_id FROM temp.dimensions)
       AND id IN (SELECT dimension_id FROM expected.rollups WHERE requests <> 0) ORDER BY id`,
  )
  for (const dimension of missing.iterate()) {
    addProblem(problems, `no dimension of the roll-ups is ${JSON.stringify(dimension)}`)
  }
  // Dimensions that have roll-ups are reported with those. The others would make names look known
  // that no request has.
  const unused = database.prepare<[], number>(
    `SELECT id FROM main.rollup_dimensions WHERE id NOT IN (SELECT found_id FROM temp.dimensions)
       AND id NOT IN (SELECT dimension_id FROM main.rollups) ORDER BY id`,
  )
  for (const id of unused.pluck().iterate()) {
    addProblem(problems, `dimension ${id} of the roll-ups is that of no request`)
  }
}

function reportSums(
  database: Database,
  problems: ProblemList,
  { sums, latencies, describe }: SumTables,
): void {
  const { key, ignored = [] } = sums
  const sumColumns = columnsOf(database, sums.name).filter(
    (column) => !key.includes(column) && !ignored.includes(column),
  )
  const [ofSums, ofLatencies] = [rowsOf(database, sums), rowsOf(database, latencies)]
  const none: Row = Object.fromEntries(sumColumns.map((column) => [column, 0]))
  const noLatencies: Row = { buckets: Buffer.alloc(0) }
  for (const key of differingKeys(database, [sums, latencies])) {
    // A dimension without a counterpart was reported already.
    if (sums.paired !== undefined && Number(key.at(-1)) < 0) continue
    const columns = differingColumns(ofSums.expected(key) ?? none, ofSums.found(key) ?? none, sumColumns)
    const [ours, theirs] = [ofLatencies.expected(key) ?? noLatencies, ofLatencies.found(key) ?? noLatencies]
    for (const one of differingColumns(ours, theirs, ['buckets']))
      columns.push({ ...one, column: 'latencies' })
    // A row of zeros counts as no row.
    if (columns.length > 0) {
      addProblem(problems, `the roll-up of ${describe(key)} isn't the sum of its requests`, columns)
    }
  }
}

function addProblem(problems: ProblemList, found: string, columns?: DifferingColumn[]): void {
  const detail = `${found}: rebuild it with \`request-journal replay\``
  problems.addWithoutPlace('rollup', { detail, ...(columns === undefined ? {} : { columns }) })
}

function shortened(name: unknown): string {
  return JSON.stringify(`${String(name).slice(0, 60)}…`)
}
