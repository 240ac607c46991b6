import type { SumName } from '../store/sqlite/rollups/rollup-rows.js'
import {
  CORRECTABLE,
  type CounterChanges,
  HOUR_LENGTH,
  type RollupTables,
} from '../store/sqlite/rollups/rollup-tables.js'
import { type DimensionHours, type RollupSink, writeRollups } from '../store/sqlite/rollups/rollup-writing.js'
import { costParts } from './cost-parts.js'
import { type CountedRequest, type RequestOutcome, withinLimits } from './counted-request.js'
import { countCorrection, countRequest, emptyCounters } from './counters.js'
import { RollupCells } from './rollup-cells.js'
import { isUnended } from './stream-state.js'

/** Hours of dimensions, and requests, that are held in memory before they are written: 200 and 4 bytes each. */
const MAX_HELD_HOURS = 20_000
const MAX_HELD_REQUESTS = 200_000

/** UTF-16 units of their dimensions' names, of which each may have eleven of 1 KiB; usual ones have a tenth of this. */
const MAX_HELD_NAMES = 4 * 1024 * 1024

/** Sums up to this stay exact as numbers, whatever is added to them that isn't larger. */
const MAX_EXACT = 2 ** 51

/** Where the fold puts its changes. */
export type ChangesSink = RollupSink & Pick<RollupTables, 'count'>

interface DimensionChanges extends DimensionHours {
  readonly hours: Map<string, number>
  readonly counters: CounterChanges
  /** The hour of the last request: the next one is mostly of the same. */
  lastHour: string | null
  lastCell: number
}

/** A step on the way to a dimension: for the model, the provider, the policy and each label. */
interface DimensionNode {
  readonly next: Map<string | null | undefined, DimensionNode>
  changes: DimensionChanges | null
}

/**
 * The fold of the roll-ups and counters: sums by hour and day, and what only grows. Collects the changes of one
 * transaction and writes them when they are many, and when `apply` is called. All sums are integers, so that the order
 * of events, replays and corrections by completions can't change them.
 */
export class RollupChanges {
  readonly #sink: ChangesSink
  readonly #labels: readonly string[]
  #root: DimensionNode = { next: new Map(), changes: null }
  /** In the order in which their first request came: so they get their ids. */
  #changed: DimensionChanges[] = []
  readonly #cells = new RollupCells()
  /** What is held was added, or taken out. */
  #sign: 1 | -1 = 1
  /** At least as large as any sum that is held. */
  #heldSize = 0
  #heldNames = 0

  /** @param labels the names of `rollup_labels`, in order. */
  constructor(sink: ChangesSink, labels: readonly string[]) {
    this.#sink = sink
    this.#labels = labels
  }

  /** @param isCounted false: the counters have it already, from before a replay. */
  add(request: CountedRequest, isCounted: boolean): void {
    this.#change(withinLimits(request), 1, isCounted)
  }

  /** Takes back what a request was added for; the counters never fall. */
  remove(request: CountedRequest): void {
    this.#change(request, -1, false)
  }

  /**
   * The outcome of a request that was added before is another one.
   *
   * @param isCounted as of `add`, for the completion.
   */
  correct(request: CountedRequest, outcome: RequestOutcome, isCounted: boolean): void {
    const before = sumsOf(request, request)
    const after = sumsOf(request, withinLimits(outcome))
    const size = sizeOf(before) + sizeOf(after)
    if (size > MAX_EXACT) this.apply()
    const dimension = this.#dimension(request)
    const cell = this.#cell(dimension, request.timestamp)
    for (const name of OUTCOME_SUMS) {
      after[name] -= before[name]
      this.#cells.addTo(cell, name, after[name])
    }
    if (isCounted) countCorrection(dimension.counters, after)
    this.#limit(size)
  }

  /** Writes what was collected. */
  apply(): void {
    if (this.#changed.length === 0) return
    writeRollups(this.#sink, this.#changed, this.#cells, this.#labels)
    for (const dimension of this.#changed) this.#sink.count(dimension, dimension.counters)
    this.#cells.clear()
    this.#root = { next: new Map(), changes: null }
    this.#changed = []
    this.#heldSize = 0
    this.#heldNames = 0
  }

  #change(request: CountedRequest, sign: 1 | -1, isCounted: boolean): void {
    const cost = costParts(request.cost_sats)
    const tokens = (request.input_tokens ?? 0) + (request.output_tokens ?? 0)
    const size = tokens + Math.abs(cost.sats) + request.latency_ms
    if (size > MAX_EXACT || sign !== this.#sign) this.apply()
    this.#sign = sign
    const dimension = this.#dimension(request)
    this.#cells.add(this.#cell(dimension, request.timestamp), request, cost, sign)
    if (isCounted) countRequest(dimension.counters, request, cost)
    this.#limit(size)
  }

  /** A change of this size was made. */
  #limit(size: number): void {
    this.#heldSize += size
    const { cells, latencies } = this.#cells
    const isMuch = cells > MAX_HELD_HOURS || latencies > MAX_HELD_REQUESTS || this.#heldNames > MAX_HELD_NAMES
    if (isMuch || this.#heldSize > MAX_EXACT) this.apply()
  }

  #dimension({ model, provider, policy, labels }: CountedRequest): DimensionChanges {
    let node = step(step(step(this.#root, model), provider), policy)
    for (const name of this.#labels) node = step(node, ownLabel(labels, name))
    node.changes ??= this.#startDimension({ model, provider, policy, labels: this.#kept(labels) })
    return node.changes
  }

  #startDimension(
    dimension: Pick<DimensionChanges, 'model' | 'provider' | 'policy' | 'labels'>,
  ): DimensionChanges {
    const changes = {
      ...dimension,
      hours: new Map<string, number>(),
      counters: emptyCounters(),
      lastHour: null,
      lastCell: 0,
    }
    this.#changed.push(changes)
    const { model, provider, policy, labels } = dimension
    for (const name of [model, provider, policy, ...Object.values(labels)])
      this.#heldNames += name?.length ?? 0
    return changes
  }

  /** The labels that roll-ups are kept by. */
  #kept(labels: CountedRequest['labels']): Record<string, string> {
    const kept: [string, string][] = []
    for (const name of this.#labels) {
      const value = ownLabel(labels, name)
      if (value !== undefined) kept.push([name, value])
    }
    // fromEntries, because assigning to a key named __proto__ would set a prototype instead.
    return Object.fromEntries(kept)
  }

  #cell(dimension: DimensionChanges, timestamp: string): number {
    if (dimension.lastHour !== null && timestamp.startsWith(dimension.lastHour)) return dimension.lastCell
    const hour = timestamp.slice(0, HOUR_LENGTH)
    let cell = dimension.hours.get(hour)
    if (cell === undefined) {
      cell = this.#cells.start()
      dimension.hours.set(hour, cell)
    }
    // What is shorter than an hour's name is the beginning of others.
    if (hour.length === HOUR_LENGTH) {
      dimension.lastHour = hour
      dimension.lastCell = cell
    }
    return cell
  }
}

/** The sums that a completion can change. */
const OUTCOME_SUMS = [
  ...CORRECTABLE,
  'failed_streams',
  'unpriced_failures',
  'unknown_input_tokens',
  'unknown_output_tokens',
  'unended_streams',
] as const satisfies readonly SumName[]
type OutcomeSums = Record<(typeof OUTCOME_SUMS)[number], number>

function sumsOf({ streaming }: CountedRequest, outcome: RequestOutcome): OutcomeSums {
  const { success, input_tokens, output_tokens, cost_sats } = outcome
  const { sats, nanosats } = costParts(cost_sats)
  return {
    failures: success ? 0 : 1,
    failed_streams: streaming && !success ? 1 : 0,
    unpriced: cost_sats === null ? 1 : 0,
    input_tokens: input_tokens ?? 0,
    output_tokens: output_tokens ?? 0,
    cost_sats: sats,
    cost_nanosats: nanosats,
    unpriced_failures: cost_sats === null && !success ? 1 : 0,
    unknown_input_tokens: input_tokens === null ? 1 : 0,
    unknown_output_tokens: output_tokens === null ? 1 : 0,
    unended_streams: isUnended({ streaming, ...outcome }) ? 1 : 0,
  }
}

function sizeOf({ input_tokens, output_tokens, cost_sats }: OutcomeSums): number {
  return Math.abs(input_tokens) + Math.abs(output_tokens) + Math.abs(cost_sats)
}

function step(node: DimensionNode, value: string | null | undefined): DimensionNode {
  let next = node.next.get(value)
  if (next === undefined) {
    next = { next: new Map(), changes: null }
    node.next.set(value, next)
  }
  return next
}

function ownLabel(labels: CountedRequest['labels'], name: string): string | undefined {
  return labels !== undefined && Object.hasOwn(labels, name) ? labels[name] : undefined
}
