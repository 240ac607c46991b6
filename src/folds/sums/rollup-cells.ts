import type { CountedRequest } from '../stored-request.js'
import {
  isInconsistent,
  isRetry,
  isUnended,
  limitedLatency,
  limitedTokens,
  type SplitCosts,
} from './counted-values.js'
import { BUCKETS, bucketOf, encodeSorted, type Latencies } from './latencies.js'

/** The columns of a roll-up's sums. */
export const SUMS = [
  'requests',
  'failures',
  'streams',
  'failed_streams',
  /** Requests whose cost is unknown. */
  'unpriced',
  'input_tokens',
  'output_tokens',
  /** With `cost_nanosats`: see `splitCost`. */
  'cost_sats',
  'cost_nanosats',
  'latency_ms',
  /** Failures among `unpriced`. */
  'unpriced_failures',
  'unknown_input_tokens',
  'unknown_output_tokens',
  /** See `isUnended`. */
  'unended_streams',
  /** Requests whose cost in dollars is unknown, and failures among them. */
  'unpriced_usd',
  'unpriced_usd_failures',
  /** With `cost_nanousd`, as in satoshis. */
  'cost_usd',
  'cost_nanousd',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'reasoning_output_tokens',
  /** Attempts after the first one. */
  'retries',
  /** See `isInconsistent`. */
  'inconsistent',
] as const

export type SumName = (typeof SUMS)[number]

/** Sums over some requests, or changes to such sums, in which case any may be negative. */
export interface Rollup {
  /** In the order of `SUMS`. */
  readonly sums: Float64Array
  /**
   * The latencies of the requests that are added or taken out; empty if only outcomes are
   * corrected.
   */
  readonly latencies: Latencies
}

const WIDTH = SUMS.length
/** The index of each sum in a cell. */
const AT = Object.fromEntries(SUMS.map((name, index) => [name, index])) as Record<SumName, number>

/** How many cells and latencies the first arrays have room for. */
const FIRST_CELLS = 16
const FIRST_LATENCIES = 64

/**
 * The roll-ups that are being summed. Each is a cell, the sums of one dimension in one hour, and is
 * named by its number, from 0 up. All cells share one array of sums and one list of latencies. With
 * an object and a map of buckets for each, 155,000 cells made a replay of a million events slower
 * by 1.1 µs per event, most of it in the garbage collector.
 */
export class RollupCells {
  #cellCount = 0
  #sums = new Float64Array(FIRST_CELLS * WIDTH)
  /** The cell and the latency's bucket of each request, in one number. */
  #latencies = new Uint32Array(FIRST_LATENCIES)
  #latencyCount = 0
  /** Where each cell's latencies begin once they are in order. */
  #starts: Uint32Array | null = null

  get cellCount(): number {
    return this.#cellCount
  }

  get latencyCount(): number {
    return this.#latencyCount
  }

  /** Adds a cell, and returns its number. */
  newCell(): number {
    if (this.#sums.length === this.#cellCount * WIDTH) {
      const larger = new Float64Array(2 * this.#sums.length)
      larger.set(this.#sums)
      this.#sums = larger
    }
    return this.#cellCount++
  }

  /** @param sign -1 takes the request out. It must be the same for all requests of these cells. */
  add(cell: number, request: CountedRequest, costs: SplitCosts, sign: 1 | -1): void {
    const latencyMs = limitedLatency(request.latency_ms)
    const at = cell * WIDTH
    this.#change(at + AT.requests, sign)
    if (request.streaming) this.#change(at + AT.streams, sign)
    this.#change(at + AT.latency_ms, sign * latencyMs)
    this.#addLatency(cell * BUCKETS + bucketOf(latencyMs))
    if (isRetry(request)) this.addRetry(cell, sign)
    this.addOutcome(cell, request, costs, sign)
  }

  addRetry(cell: number, sign: 1 | -1): void {
    this.#change(cell * WIDTH + AT.retries, sign)
  }

  /** Adds what a completion can change: the sums of outcomes and costs. */
  addOutcome(cell: number, request: CountedRequest, costs: SplitCosts, sign: 1 | -1): void {
    const { success, streaming } = request
    const at = cell * WIDTH
    if (!success) this.#change(at + AT.failures, sign)
    if (streaming && !success) this.#change(at + AT.failed_streams, sign)
    if (request.input_tokens === null) this.#change(at + AT.unknown_input_tokens, sign)
    else this.#addTokens(at + AT.input_tokens, request.input_tokens, sign)
    if (request.output_tokens === null) this.#change(at + AT.unknown_output_tokens, sign)
    else this.#addTokens(at + AT.output_tokens, request.output_tokens, sign)
    this.#addTokens(at + AT.cache_read_input_tokens, request.cache_read_input_tokens, sign)
    this.#addTokens(at + AT.cache_creation_input_tokens, request.cache_creation_input_tokens, sign)
    this.#addTokens(at + AT.reasoning_output_tokens, request.reasoning_output_tokens, sign)
    if (isInconsistent(request)) this.#change(at + AT.inconsistent, sign)
    if (streaming && isUnended(request)) this.#change(at + AT.unended_streams, sign)
    this.addCosts(cell, success, costs, sign)
  }

  /** Adds what a price can change: the sums of costs. */
  addCosts(cell: number, success: boolean, { sats, usd }: SplitCosts, sign: 1 | -1): void {
    const at = cell * WIDTH
    if (sats === null) {
      this.#change(at + AT.unpriced, sign)
      if (!success) this.#change(at + AT.unpriced_failures, sign)
    } else {
      this.#change(at + AT.cost_sats, sign * sats.whole)
      this.#change(at + AT.cost_nanosats, sign * sats.billionths)
    }
    if (usd === null) {
      this.#change(at + AT.unpriced_usd, sign)
      if (!success) this.#change(at + AT.unpriced_usd_failures, sign)
    } else {
      this.#change(at + AT.cost_usd, sign * usd.whole)
      this.#change(at + AT.cost_nanousd, sign * usd.billionths)
    }
  }

  /** The sums of a cell, valid until the next change. */
  rollup(cell: number): Rollup {
    this.#starts ??= this.#order()
    const from = this.#starts[cell] ?? 0
    const to = this.#starts[cell + 1] ?? this.#latencyCount
    return {
      sums: this.#sums.subarray(cell * WIDTH, (cell + 1) * WIDTH),
      latencies: encodeSorted(this.#latencies, from, to),
    }
  }

  #change(at: number, change: number): void {
    this.#sums[at] = (this.#sums[at] ?? 0) + change
  }

  #addTokens(at: number, tokens: number | null | undefined, sign: 1 | -1): void {
    if (tokens !== null && tokens !== undefined) this.#change(at, sign * limitedTokens(tokens))
  }

  #addLatency(latency: number): void {
    if (this.#latencies.length === this.#latencyCount) {
      const larger = new Uint32Array(2 * this.#latencies.length)
      larger.set(this.#latencies)
      this.#latencies = larger
    }
    this.#latencies[this.#latencyCount++] = latency
    this.#starts = null
  }

  /** Puts latencies in the order of cells and buckets. */
  #order(): Uint32Array {
    this.#latencies.subarray(0, this.#latencyCount).sort()
    const starts = new Uint32Array(this.#cellCount + 1)
    let next = 0
    for (let cell = 0; cell <= this.#cellCount; cell++) {
      while (next < this.#latencyCount && (this.#latencies[next] ?? 0) < cell * BUCKETS) next++
      starts[cell] = next
    }
    return starts
  }
}
