// Derives the roll-ups of days and the totals from the roll-ups of hours, for either store.
import { grouped } from '../folds/grouped.js'
import { LatencyHistogram } from '../folds/sums/latencies.js'
import type { Rollup, RollupCells } from '../folds/sums/rollup-cells.js'
import {
  DAY_LENGTH,
  type Dimension,
  type DimensionChanges,
  HOUR_LENGTH,
  type RollupChanges,
} from '../folds/sums/rollups.js'

/** The length of the period over which a roll-up sums requests. */
export type RollupGrain = 'hour' | 'day'

/** Names the requests of one dimension in one period. */
export interface RollupKey {
  grain: RollupGrain
  /** The prefix that the timestamps of its requests share. */
  period: string
  dimensionId: number
}

/**
 * Names the requests of several dimensions in one period, either of all dimensions or of those that
 * have something in common.
 */
export interface TotalKey {
  grain: RollupGrain
  period: string
  /** What they have in common: `model`, `provider`, `policy`, or `label:<name>`; '' for nothing. */
  groupedBy: string
  /** The value that they have in common; null if it is missing in all of them. */
  name: string | null
}

/** Takes the roll-ups of one call of `writeRollups`, each key once. Each store implements it. */
export interface RollupSink {
  dimensionId(dimension: Dimension): number
  add(key: RollupKey, rollup: Rollup): void
  addTotal(key: TotalKey, rollup: Rollup): void
}

/** Something that dimensions may have in common, and how to read one dimension's value of it. */
type Grouping = [groupedBy: string, nameOf: (dimension: Dimension) => string | null]

const ALL: Grouping = ['', () => null]

/**
 * Writes to a store the changes to hourly roll-ups, and those to daily roll-ups and totals, which
 * follow from them, in the order of their keys. How a row is written is up to the store's
 * `RollupSink`.
 *
 * @param labels the names of `rollup_labels`.
 */
export function writeRollups(sink: RollupSink, changes: RollupChanges, labels: readonly string[]): void {
  const writer = new CellWriter(sink, changes)
  writer.write('day', DAY_LENGTH, groupingsOf(labels))
  writer.write('hour', HOUR_LENGTH, [ALL])
}

/** Writes cells without keeping an object for each, since there are thousands of them. */
class CellWriter {
  readonly #sink: RollupSink
  readonly #cells: RollupCells
  /** The dimensions that change, in the order of their ids. */
  readonly #dimensions: (DimensionChanges & { id: number })[]
  /** The index of each cell's dimension in that list. */
  readonly #dimensionOf: Uint32Array
  readonly #latencies = new LatencyHistogram()

  constructor(sink: RollupSink, { dimensions, cells }: RollupChanges) {
    this.#sink = sink
    this.#cells = cells
    this.#dimensions = dimensions.map((dimension) => ({
      ...dimension,
      id: sink.dimensionId(dimension),
    }))
    this.#dimensions.sort((a, b) => a.id - b.id)
    this.#dimensionOf = new Uint32Array(cells.cellCount)
    for (const [index, { hours }] of this.#dimensions.entries()) {
      for (const cell of hours.values()) this.#dimensionOf[cell] = index
    }
  }

  write(grain: RollupGrain, length: number, groupings: readonly Grouping[]): void {
    for (const [period, cells] of this.#cellsOfPeriods(length)) {
      const parts: { dimension: Dimension; rollup: Rollup }[] = []
      for (let from = 0; from < cells.length; ) {
        const index = this.#dimensionOf[cells[from] ?? 0] ?? 0
        let to = from + 1
        while (to < cells.length && this.#dimensionOf[cells[to] ?? 0] === index) to++
        const rollup = this.#sumOf(cells.slice(from, to).map((cell) => this.#cells.rollup(cell)))
        const dimension = this.#dimensions[index]
        if (dimension === undefined) throw new Error('unreachable: a cell without a dimension')
        this.#sink.add({ grain, period, dimensionId: dimension.id }, rollup)
        parts.push({ dimension, rollup })
        from = to
      }
      for (const [groupedBy, nameOf] of groupings) {
        for (const [name, group] of grouped(parts, ({ dimension }) => nameOf(dimension))) {
          const total = this.#sumOf(group.map(({ rollup }) => rollup))
          this.#sink.addTotal({ grain, groupedBy, period, name }, total)
        }
      }
    }
  }

  /**
   * Returns the cells of every period, with the periods in order and the cells of each in the order
   * of their dimensions.
   */
  #cellsOfPeriods(length: number): [string, number[]][] {
    const periods = new Map<string, number[]>()
    for (const { hours } of this.#dimensions) {
      for (const [hour, cell] of hours) {
        const period = hour.slice(0, length)
        const cells = periods.get(period)
        if (cells === undefined) periods.set(period, [cell])
        else cells.push(cell)
      }
    }
    return [...periods].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  #sumOf(rollups: readonly Rollup[]): Rollup {
    const [first] = rollups
    if (first === undefined) throw new Error('unreachable: a sum of no roll-ups')
    if (rollups.length === 1) return first
    const sums = new Float64Array(first.sums.length)
    this.#latencies.clear()
    for (const rollup of rollups) {
      for (let index = 0; index < sums.length; index++) {
        sums[index] = (sums[index] ?? 0) + (rollup.sums[index] ?? 0)
      }
      this.#latencies.addStored(rollup.latencies)
    }
    return { sums, latencies: this.#latencies.encode() }
  }
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
