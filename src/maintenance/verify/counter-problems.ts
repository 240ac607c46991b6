import { CORRECTABLE_NUMBERS } from '../../folds/sums/counters.js'
import { differingKeys, pairIds, type Row, rowsOf } from '../../store/sqlite/compare/tables.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import type { Snapshot } from './snapshot.js'
import { type DifferingColumn, differingColumns, type ProblemList } from './verify-problems.js'

const MEANING = ['model', 'provider', 'policy']
const COUNTERS = { name: 'request_counters', key: ['id'], paired: { column: 'id', by: 'counters' } }
const LATENCIES = {
  name: 'latency_counters',
  key: ['counter_id', 'le_ms'],
  paired: { column: 'counter_id', by: 'counters' },
}

/** The counters that only grow with requests. */
const FIXED = ['requests', 'latency_ms']
/** The net costs, in billionths. */
const COSTS = ['cost_nanosats', 'cost_nanousd']
const NANOS = 1_000_000_000n

/** Whether counters include what isn't in the journal any more, or never was. */
const COUNTS_OTHERS = `SELECT EXISTS (SELECT 1 FROM main.missing_segments)
  OR EXISTS (SELECT 1 FROM main.lost_segments)
  OR EXISTS (SELECT 1 FROM main.requests WHERE segment_id IS NULL)
  OR (SELECT last_id FROM main.unjournaled_requests) > ?`

/** Lines that have replaced others weren't counted, so counters may also be too low. */
const HAS_REPLACED = 'SELECT 1 FROM main.lost_segments WHERE is_replaced = 1'

/**
 * Reports counters that are wrong. They never fall, and survive prunes and replays: they may exceed
 * what the journal gives if rows were removed for a good reason, but are never less. What
 * completions have corrected depends on the order in which they were projected, and a replay
 * changes the rows but not the counters. So corrections are compared only if each completion can
 * belong to only one request, and each request has only one completion.
 */
export function reportCounters(snapshot: Snapshot, problems: ProblemList): void {
  const { database } = snapshot
  if (database.prepare(HAS_REPLACED).get() !== undefined) return
  pairIds(database, { pairs: 'counters', table: 'request_counters', meaning: MEANING })
  const countsOthers =
    database.prepare<[number], number>(COUNTS_OTHERS).pluck().get(snapshot.lastIdBefore) === 1
  const isExact = snapshot.pruned.isNone && !countsOthers
  const isWrong = ({ journal, database }: DifferingColumn) => isExact || Number(database) < Number(journal)
  const report = (counter: Row | null, what: string, columns: readonly DifferingColumn[]) => {
    if (columns.length === 0) return
    const names = JSON.stringify(MEANING.map((column) => counter?.[column] ?? null))
    const detail = `the counter of ${names}${what} isn't what was counted`
    problems.addWithoutPlace('counter', { detail, columns: [...columns] })
  }
  const counters = rowsOf(database, COUNTERS)
  for (const key of differingKeys(database, [COUNTERS])) {
    const [expected, found] = [counters.expected(key), counters.found(key)]
    const [expectedCounts, foundCounts] = [withNets(expected), withNets(found)]
    const columns = differingColumns(expectedCounts, foundCounts, FIXED).filter(isWrong)
    const compared = [...CORRECTABLE_NUMBERS, ...COSTS].filter(
      (column) => !snapshot.pendingCosts.ofSums.includes(column),
    )
    const corrected = differingColumns(expectedCounts, foundCounts, compared)
    const isSure = isExact && !snapshot.hasLateLines && corrected.length > 0
    if (isSure && !isContested(database, expected ?? found)) columns.push(...corrected)
    report(expected ?? found, '', columns)
  }
  const latencies = rowsOf(database, LATENCIES)
  for (const key of differingKeys(database, [LATENCIES])) {
    // A counter without a counterpart was reported already.
    if (Number(key[0]) < 0) continue
    const [expected, found] = [latencies.expected(key), latencies.found(key)]
    const differing = differingColumns(expected ?? NONE, found ?? NONE, ['requests']).filter(isWrong)
    const counter = counters.found([key[0]]) ?? counters.expected([key[0]])
    report(counter, ` up to ${String(key[1])} ms`, differing)
  }
}

const NONE: Row = { requests: 0n }

/**
 * The counters minus their corrections. If counters were first filled from rows, both are smaller.
 */
function withNets(counter: Row | null): Row {
  const value = (column: string) => BigInt((counter?.[column] ?? 0n) as bigint)
  const net = (column: string) => value(column) - value(`corrected_${column}`)
  return {
    ...Object.fromEntries(FIXED.map((column) => [column, value(column)])),
    ...Object.fromEntries(CORRECTABLE_NUMBERS.map((column) => [column, net(column)])),
    cost_nanosats: net('cost_sats') * NANOS + net('cost_nanosats'),
    cost_nanousd: net('cost_usd') * NANOS + net('cost_nanousd'),
  }
}

/** Whether the requests of a counter could have got other completions in another order of lines. */
function isContested(database: Database, counter: Row | null): boolean {
  const statement = database.prepare<unknown[]>(
    `SELECT 1 FROM expected.requests r WHERE model = ? AND provider IS ? AND policy IS ?
       AND (id IN (SELECT request_id FROM expected.superseded_completions)
         OR EXISTS (SELECT 1 FROM expected.requests o WHERE o.correlation_id = r.correlation_id AND o.id <> r.id))
     LIMIT 1`,
  )
  return statement.get(...MEANING.map((column) => counter?.[column])) !== undefined
}
