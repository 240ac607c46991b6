import { LatencyHistogram } from '../storage/latency-histogram.js'
import type { Rollup } from '../storage/rollup-rows.js'
import {
  DAY_LENGTH,
  type Dimension,
  type Grain,
  HOUR_LENGTH,
  type RollupTables,
} from '../storage/rollup-tables.js'

/** Where roll-ups are written. */
export type RollupSink = Pick<RollupTables, 'dimensionId' | 'add' | 'addTotal' | 'insert'>

/** What was collected of a dimension. */
export interface DimensionHours extends Dimension {
  /** For each hour the number of its roll-up. */
  readonly hours: ReadonlyMap<string, number>
}

/** Roll-ups of a dimension and period. */
interface Part {
  dimension: Dimension
  id: number
  rollups: Rollup[]
}

/** What several dimensions may have in common, and the value that one has of it. */
type Grouping = [groupedBy: string, name: (dimension: Dimension) => string | null]

const ALL: Grouping = ['', () => null]

/**
 * Writes roll-ups of hours, and what follows from them: those of days, and totals. All are written in the order of their
 * keys.
 *
 * @param dimensions in the order in which their first requests came.
 * @param labels the names of `rollup_labels`.
 */
export function writeRollups(
  sink: RollupSink,
  dimensions: readonly DimensionHours[],
  rollups: readonly Rollup[],
  labels: readonly string[],
): void {
  const identified = dimensions.map((dimension) => ({ ...dimension, id: sink.dimensionId(dimension) }))
  identified.sort((a, b) => a.id - b.id)
  const adder = new RollupAdder()
  const write = (grain: Grain, length: number, groupings: readonly Grouping[]) => {
    for (const [period, parts] of partsOfPeriods(identified, rollups, length)) {
      const sums = parts.map(({ dimension, id, rollups }) => {
        const rollup = adder.sumOf(rollups)
        sink.add({ grain, period, dimensionId: id }, rollup)
        return { dimension, rollup }
      })
      for (const [groupedBy, nameOf] of groupings) {
        const groups = new Map<string | null, Rollup[]>()
        for (const { dimension, rollup } of sums) append(groups, nameOf(dimension), rollup)
        for (const [name, group] of groups) {
          sink.addTotal({ grain, groupedBy, period, name }, adder.sumOf(group))
        }
      }
    }
  }
  write('day', DAY_LENGTH, groupingsOf(labels))
  write('hour', HOUR_LENGTH, [ALL])
  sink.insert()
}

function groupingsOf(labels: readonly string[]): Grouping[] {
  return [
    ALL,
    ['model', ({ model }) => model],
    ['provider', ({ provider }) => provider],
    ['policy', ({ policy }) => policy],
    ...labels.map(
      (label): Grouping => [
        `label:${label}`,
        ({ labels }) => (Object.hasOwn(labels, label) ? (labels[label] ?? null) : null),
      ],
    ),
  ]
}

/** Every period in order, each with its dimensions in order. */
function partsOfPeriods(
  dimensions: readonly (DimensionHours & { id: number })[],
  rollups: readonly Rollup[],
  length: number,
): [string, Part[]][] {
  const periods = new Map<string, Part[]>()
  for (const dimension of dimensions) {
    for (const [hour, index] of dimension.hours) {
      const rollup = rollups[index]
      if (rollup === undefined) throw new Error('an hour without its roll-up')
      const parts = periods.get(hour.slice(0, length))
      const last = parts?.at(-1)
      if (last?.dimension === dimension) last.rollups.push(rollup)
      else append(periods, hour.slice(0, length), { dimension, id: dimension.id, rollups: [rollup] })
    }
  }
  return [...periods].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Makes one roll-up of several. */
class RollupAdder {
  readonly #latencies = new LatencyHistogram()

  sumOf(rollups: readonly Rollup[]): Rollup {
    const [first, ...others] = rollups
    if (first === undefined) throw new Error('a sum of no roll-ups')
    if (others.length === 0) return first
    const sums = Float64Array.from(first.sums)
    this.#latencies.clear()
    this.#latencies.addStored(first.latencies)
    for (const other of others) {
      for (const [index, sum] of other.sums.entries()) sums[index] = (sums[index] ?? 0) + sum
      this.#latencies.addStored(other.latencies)
    }
    return { sums, latencies: this.#latencies.store() }
  }
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
