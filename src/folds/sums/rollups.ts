import type { Costs, CountedRequest } from '../stored-request.js'
import { limitedLatency, limitedTokens, type SplitCosts, splitCosts } from './counted-values.js'
import {
  type CounterChanges,
  countCostChange,
  countOutcomeChange,
  countRequest,
  emptyCounters,
} from './counters.js'
import { RollupCells } from './rollup-cells.js'

/** The values that roll-ups are kept by. */
export interface Dimension {
  model: string
  provider: string | null
  policy: string | null
  /** The request's labels, only those that roll-ups are kept by. */
  labels: Readonly<Record<string, string>>
}

/** How much the sums of one dimension change. */
export interface DimensionChanges extends Dimension {
  /** The index of each hour's cell, by the prefix that its timestamps share. */
  readonly hours: ReadonlyMap<string, number>
  readonly counters: CounterChanges
}

/** How much the sums change. */
export interface RollupChanges {
  /** In the order in which their first request came, and in which they get their ids. */
  readonly dimensions: readonly DimensionChanges[]
  readonly cells: RollupCells
}

/** The lengths of the prefixes of a timestamp that name its hour, `2026-11-22T19`, and its day. */
export const HOUR_LENGTH = 13
export const DAY_LENGTH = 10

/**
 * How many cells, and requests, are buffered before they are written. A cell takes 200 bytes and a
 * request 4.
 */
const MAX_BUFFERED_CELLS = 20_000
const MAX_BUFFERED_REQUESTS = 200_000

/**
 * How many UTF-16 units of the dimensions' names are buffered. A dimension may have eleven names of
 * 1 KiB; usually all names together take a tenth of this.
 */
const MAX_BUFFERED_NAMES = 4 * 1024 * 1024

/**
 * Sums are closed before they grow beyond this: a quarter of 2^53, up to which a number holds every
 * integer exactly.
 */
const MAX_EXACT = 2 ** 51

interface OpenDimension extends DimensionChanges {
  readonly hours: Map<string, number>
  /** The hour of the last request. Usually the next one falls in the same hour. */
  lastHour: string | null
  lastCell: number
}

/**
 * A node of the tree of dimensions: by model, provider, policy and each label. With a tree, no key
 * has to be joined for each request.
 */
interface DimensionNode {
  readonly next: Map<string | null | undefined, DimensionNode>
  changes: OpenDimension | null
}

/**
 * The fold of the roll-ups, which are sums by hour, and of the counters, which only grow. All sums
 * are integers, so that the same requests have the same sums, in whatever order they came and
 * whether or not they were corrected.
 */
export class RollupSums {
  readonly #labels: readonly string[]
  /** The sums that were collected before the open ones. */
  #closed: RollupChanges[] = []
  #root: DimensionNode = { next: new Map(), changes: null }
  #open: OpenDimension[] = []
  #cells = new RollupCells()
  /** Whether requests are added to the open sums (1) or taken out (-1). */
  #sign: 1 | -1 = 1
  /** At least as large as any sum that is open. */
  #bufferedSize = 0
  #bufferedNames = 0

  /** @param labels the names of the labels that roll-ups are kept by, in order. */
  constructor(labels: readonly string[]) {
    this.#labels = labels
  }

  /** Whether so much has been collected that the caller should call `take`. */
  get isFull(): boolean {
    const { cellCount, latencyCount } = this.#cells
    const isMuch =
      cellCount > MAX_BUFFERED_CELLS ||
      latencyCount > MAX_BUFFERED_REQUESTS ||
      this.#bufferedNames > MAX_BUFFERED_NAMES
    return isMuch || this.#closed.length > 0
  }

  /**
   * @param growsCounters whether the counters grow; false if they include the request already, from
   *   before a replay.
   */
  add(request: CountedRequest, costs: Costs, growsCounters: boolean): void {
    this.#change(request, costs, 1, growsCounters)
  }

  /** Takes a request out of the sums again; the counters never fall. */
  remove(request: CountedRequest, costs: Costs): void {
    this.#change(request, costs, -1, false)
  }

  /**
   * Corrects the sums for a request that was added before, and whose outcome and costs have
   * changed; everything else is the same in both.
   *
   * @param growsCounters whether the counters grow; false if they include the change already.
   */
  correct(before: CountedRequest & Costs, after: CountedRequest & Costs, growsCounters: boolean): void {
    const costsBefore = splitCosts(before)
    const costsAfter = splitCosts(after)
    this.#makeRoom(sizeOfRequest(before, costsBefore) + sizeOfRequest(after, costsAfter))
    const dimension = this.#dimension(before)
    const cell = this.#cell(dimension, before.timestamp)
    this.#cells.addOutcome(cell, before, costsBefore, -1)
    this.#cells.addOutcome(cell, after, costsAfter, 1)
    if (!growsCounters) return
    countOutcomeChange(dimension.counters, before, after)
    countCostChange(dimension.counters, costsBefore, costsAfter)
  }

  /**
   * Corrects the sums for a request that was added before, and whose costs have changed.
   *
   * @param isNewRetry whether it is a retry, but was added before retries were counted.
   */
  reprice(request: CountedRequest & Costs, costs: Costs, isNewRetry: boolean): void {
    const costsBefore = splitCosts(request)
    const costsAfter = splitCosts(costs)
    this.#makeRoom(sizeOfCosts(costsBefore) + sizeOfCosts(costsAfter))
    const dimension = this.#dimension(request)
    const cell = this.#cell(dimension, request.timestamp)
    this.#cells.addCosts(cell, request.success, costsBefore, -1)
    this.#cells.addCosts(cell, request.success, costsAfter, 1)
    if (isNewRetry) this.#cells.addRetry(cell, 1)
    countCostChange(dimension.counters, costsBefore, costsAfter)
  }

  /** Returns the sums that were collected, and starts over with none. */
  take(): RollupChanges[] {
    this.#close()
    const taken = this.#closed
    this.#closed = []
    return taken
  }

  #change(request: CountedRequest, costs: Costs, sign: 1 | -1, growsCounters: boolean): void {
    const split = splitCosts(costs)
    this.#makeRoom(sizeOfRequest(request, split))
    if (sign !== this.#sign) this.#close()
    this.#sign = sign
    const dimension = this.#dimension(request)
    this.#cells.add(this.#cell(dimension, request.timestamp), request, split, sign)
    if (growsCounters) countRequest(dimension.counters, request, split)
  }

  /** Makes sure that every sum stays exact after a change of this size. */
  #makeRoom(size: number): void {
    if (this.#bufferedSize + size > MAX_EXACT) this.#close()
    this.#bufferedSize += size
  }

  #close(): void {
    this.#bufferedSize = 0
    this.#bufferedNames = 0
    if (this.#open.length === 0) return
    this.#closed.push({ dimensions: this.#open, cells: this.#cells })
    this.#cells = new RollupCells()
    this.#root = { next: new Map(), changes: null }
    this.#open = []
  }

  #dimension({ model, provider, policy, labels }: CountedRequest): OpenDimension {
    let node = step(step(step(this.#root, model), provider), policy)
    for (const name of this.#labels) node = step(node, ownLabel(labels, name))
    node.changes ??= this.#startDimension({ model, provider, policy, labels: this.#kept(labels) })
    return node.changes
  }

  #startDimension(dimension: Dimension): OpenDimension {
    const changes = { ...dimension, hours: new Map(), counters: emptyCounters(), lastHour: null, lastCell: 0 }
    this.#open.push(changes)
    const { model, provider, policy, labels } = dimension
    for (const name of [model, provider, policy, ...Object.values(labels)])
      this.#bufferedNames += name?.length ?? 0
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

  #cell(dimension: OpenDimension, timestamp: string): number {
    if (dimension.lastHour !== null && timestamp.startsWith(dimension.lastHour)) return dimension.lastCell
    const hour = timestamp.slice(0, HOUR_LENGTH)
    let cell = dimension.hours.get(hour)
    if (cell === undefined) {
      cell = this.#cells.newCell()
      dimension.hours.set(hour, cell)
    }
    // A string shorter than an hour's name may also be a prefix of other hours' timestamps.
    if (hour.length === HOUR_LENGTH) {
      dimension.lastHour = hour
      dimension.lastCell = cell
    }
    return cell
  }
}

function sizeOfRequest(request: CountedRequest, costs: SplitCosts): number {
  return (
    sizeOfTokens(request.input_tokens) +
    sizeOfTokens(request.output_tokens) +
    sizeOfTokens(request.cache_read_input_tokens) +
    sizeOfTokens(request.cache_creation_input_tokens) +
    sizeOfTokens(request.reasoning_output_tokens) +
    sizeOfCosts(costs) +
    limitedLatency(request.latency_ms)
  )
}

function sizeOfCosts({ sats, usd }: SplitCosts): number {
  return Math.abs(sats?.whole ?? 0) + Math.abs(usd?.whole ?? 0)
}

function sizeOfTokens(tokens: number | null | undefined): number {
  return Math.abs(limitedTokens(tokens ?? 0))
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
