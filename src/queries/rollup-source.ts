import type { Database } from '../storage/database.js'
import { groupName, nameOfGroup, type RollupGrain } from '../storage/rollup-tables.js'
import { all, type Condition } from './condition.js'
import { type RequestFilter, rollupCondition } from './filter.js'
import { type Grouping, groupsOfDimensions } from './grouping.js'

/** Roll-ups that add up to what a filter leaves, and that can be told apart by a grouping. */
export interface RollupSource {
  /** The table of sums, and that of latencies. */
  sums: string
  latencies: string
  condition: Condition
  /** What tells groups apart. */
  groupColumn: string
  /** The name of a group by a value of that column. */
  nameOf(value: string | number): string
}

/**
 * The fewest roll-ups that answer: totals, where they are kept by what filter and grouping ask for, else those of all
 * dimensions.
 */
export function rollupSource(
  database: Database,
  grain: RollupGrain,
  filter: RequestFilter,
  grouping: Grouping,
): RollupSource {
  const asked = conditionsOnNames(filter)
  const columns = new Set(asked.map(({ column }) => column))
  if (grouping.column !== null) columns.add(grouping.column)
  const [groupedBy = '', ...others] = columns
  if (others.length === 0 && (groupedBy === '' || grain === 'day')) {
    return {
      sums: 'rollup_totals',
      latencies: 'rollup_total_latencies',
      condition: all([
        { sql: 'grouped_by = ?', values: [groupedBy] },
        ...asked.map(({ condition }) => condition),
      ]),
      groupColumn: 'group_name',
      nameOf: (value) => grouping.name(nameOfGroup(String(value))),
    }
  }
  const names = groupsOfDimensions(database, grouping)
  return {
    sums: 'rollups',
    latencies: 'rollup_latencies',
    condition: rollupCondition(filter),
    groupColumn: 'dimension_id',
    nameOf: (value) => names(Number(value)),
  }
}

/** What a filter asks of the names of totals. */
function conditionsOnNames(filter: RequestFilter) {
  const { model, labels = {} } = filter
  const provider = filter.withoutProvider ? null : filter.provider
  const policy = filter.withoutPolicy ? null : filter.policy
  const conditions: { column: string; condition: Condition }[] = []
  const add = (column: string, name: string | null | undefined, collation = '') => {
    if (name === undefined) return
    const condition = { sql: `group_name = ?${collation}`, values: [groupName(name)] }
    conditions.push({ column, condition })
  }
  add('model', model, ' COLLATE NOCASE')
  add('provider', provider, ' COLLATE NOCASE')
  add('policy', policy)
  for (const [label, value] of Object.entries(labels)) add(`label:${label}`, value)
  return conditions
}
