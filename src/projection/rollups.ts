import { costParts } from '../storage/cost-parts.js'
import { bucketOf } from '../storage/latency-histogram.js'
import {
  addSums,
  type CounterChanges,
  DAY_LENGTH,
  emptySums,
  HOUR_LENGTH,
  type RollupSums,
  type RollupTables,
} from '../storage/rollup-tables.js'
import type { CountedRequest, RequestOutcome } from './counted-request.js'
import { countCorrection, countRequest, emptyCounters } from './counters.js'

/** Hours of dimensions that are held in memory before they are written: about 1 KB each. */
const MAX_HELD_HOURS = 5000

/** Sums up to this stay exact as numbers, whatever is added to them that isn't larger. */
const MAX_EXACT = 2 ** 51

/** The requests of one hour and dimension. */
interface HourChanges {
  readonly sums: RollupSums
  readonly buckets: Map<number, number>
}

/** Where the fold puts its changes. */
export type RollupSink = Pick<RollupTables, 'dimensionId' | 'add' | 'count'>

interface DimensionChanges {
  readonly model: string
  readonly provider: string | null
  readonly policy: string | null
  readonly labels: Record<string, string>
  readonly hours: Map<string, HourChanges>
  readonly counters: CounterChanges
  /** The hour of the last request: the next one is mostly of the same. */
  lastHour: string | null
  lastChanges: HourChanges
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
  readonly #tables: RollupSink
  readonly #labels: readonly string[]
  #root: DimensionNode = { next: new Map(), changes: null }
  /** In the order in which their first request came: so they get their ids. */
  #changed: DimensionChanges[] = []
  #heldHours = 0
  /** At least as large as any sum that is held. */
  #heldSize = 0

  /** @param labels the names of `rollup_labels`, in order. */
  constructor(tables: RollupSink, labels: readonly string[]) {
    this.#tables = tables
    this.#labels = labels
  }

  /** @param isCounted false: the counters have it already, from before a replay. */
  add(request: CountedRequest, isCounted: boolean): void {
    this.#change(request, 1, isCounted)
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
    const after = sumsOf(request, outcome)
    const size = sizeOf(before) + sizeOf(after)
    if (size > MAX_EXACT) this.apply()
    const dimension = this.#dimension(request)
    const hour = this.#hour(dimension, request.timestamp)
    for (const name of OUTCOME_SUMS) after[name] -= before[name]
    addSums(hour.sums, { ...emptySums(), ...after })
    if (isCounted) countCorrection(dimension.counters, after)
    this.#limit(size)
  }

  /** Writes what was collected. */
  apply(): void {
    for (const dimension of this.#changed) this.#applyDimension(dimension)
    this.#root = { next: new Map(), changes: null }
    this.#changed = []
    this.#heldHours = 0
    this.#heldSize = 0
  }

  /** Written out, without an object for its parts: measured 140 ns a request, against 300. */
  #change(request: CountedRequest, sign: 1 | -1, isCounted: boolean): void {
    const { success, streaming, cost_sats, latency_ms } = request
    const inputTokens = request.input_tokens ?? 0
    const outputTokens = request.output_tokens ?? 0
    const cost = costParts(cost_sats)
    const size = inputTokens + outputTokens + Math.abs(cost.sats) + latency_ms
    if (size > MAX_EXACT) this.apply()
    const dimension = this.#dimension(request)
    const { sums, buckets } = this.#hour(dimension, request.timestamp)
    sums.requests += sign
    if (streaming) sums.streams += sign
    if (!success) sums.failures += sign
    if (streaming && !success) sums.failed_streams += sign
    if (cost_sats === null) sums.unpriced += sign
    sums.input_tokens += sign * inputTokens
    sums.output_tokens += sign * outputTokens
    sums.cost_sats += sign * cost.sats
    sums.cost_nanosats += sign * cost.nanosats
    sums.latency_ms += sign * latency_ms
    const bucket = bucketOf(latency_ms)
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + sign)
    if (isCounted) countRequest(dimension.counters, request, cost)
    this.#limit(size)
  }

  /** A change of this size was made. */
  #limit(size: number): void {
    this.#heldSize += size
    if (this.#heldSize > MAX_EXACT || this.#heldHours > MAX_HELD_HOURS) this.apply()
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
      hours: new Map<string, HourChanges>(),
      counters: emptyCounters(),
      lastHour: null,
      lastChanges: emptyHour(),
    }
    this.#changed.push(changes)
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

  #hour(dimension: DimensionChanges, timestamp: string): HourChanges {
    if (dimension.lastHour !== null && timestamp.startsWith(dimension.lastHour)) return dimension.lastChanges
    const period = timestamp.slice(0, HOUR_LENGTH)
    let changes = dimension.hours.get(period)
    if (changes === undefined) {
      changes = emptyHour()
      dimension.hours.set(period, changes)
      this.#heldHours++
    }
    // What is shorter than an hour's name is the beginning of others.
    if (period.length === HOUR_LENGTH) {
      dimension.lastHour = period
      dimension.lastChanges = changes
    }
    return changes
  }

  #applyDimension(dimension: DimensionChanges): void {
    const { hours, counters } = dimension
    const dimensionId = this.#tables.dimensionId(dimension)
    const days = new Map<string, HourChanges>()
    for (const [period, { sums, buckets }] of hours) {
      this.#tables.add({ grain: 'hour', period, dimensionId }, sums, buckets)
      const day = days.get(period.slice(0, DAY_LENGTH)) ?? emptyHour()
      days.set(period.slice(0, DAY_LENGTH), day)
      addSums(day.sums, sums)
      for (const [bucket, count] of buckets) day.buckets.set(bucket, (day.buckets.get(bucket) ?? 0) + count)
    }
    for (const [period, { sums, buckets }] of days) {
      this.#tables.add({ grain: 'day', period, dimensionId }, sums, buckets)
    }
    this.#tables.count(dimension, counters)
  }
}

/** The sums that a completion can change. */
const OUTCOME_SUMS = [
  'failures',
  'failed_streams',
  'unpriced',
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'cost_nanosats',
] as const
type OutcomeSums = Pick<RollupSums, (typeof OUTCOME_SUMS)[number]>

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

function emptyHour(): HourChanges {
  return { sums: emptySums(), buckets: new Map() }
}
