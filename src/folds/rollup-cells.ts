import type { CostParts } from './cost-parts.js'
import { BUCKETS, type Latencies, storeSorted } from './latency-bytes.js'
import { bucketOf } from './latency-histogram.js'
import type { CountedRequest } from './request-types.js'
import { isUnended } from './unended-streams.js'

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
  /** With `cost_nanosats`: see `costParts`. */
  'cost_sats',
  'cost_nanosats',
  'latency_ms',
  /** Failures among `unpriced`. */
  'unpriced_failures',
  'unknown_input_tokens',
  'unknown_output_tokens',
  /** See `isUnended`. */
  'unended_streams',
] as const

export type SumName = (typeof SUMS)[number]

/** Sums over some requests, or changes of such sums, in which case any may be negative. */
export interface Rollup {
  /** In the order of `SUMS`. */
  readonly sums: Float64Array
  /**
   * The latencies of the requests that are added, or taken out; empty if only outcomes are
   * corrected.
   */
  readonly latencies: Latencies
}

const WIDTH = SUMS.length
const [REQUESTS, FAILURES, STREAMS, FAILED_STREAMS, UNPRICED] = places(
  'requests',
  'failures',
  'streams',
  'failed_streams',
  'unpriced',
)
const [INPUT_TOKENS, OUTPUT_TOKENS, COST_SATS, COST_NANOSATS, LATENCY_MS] = places(
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'cost_nanosats',
  'latency_ms',
)
const [UNPRICED_FAILURES, UNKNOWN_INPUT_TOKENS, UNKNOWN_OUTPUT_TOKENS, UNENDED_STREAMS] = places(
  'unpriced_failures',
  'unknown_input_tokens',
  'unknown_output_tokens',
  'unended_streams',
)

/** How many cells and latencies the first arrays have room for. */
const FIRST_CELLS = 16
const FIRST_LATENCIES = 64

/**
 * The roll-ups that are being summed, called cells and numbered from 0 up. All cells share one
 * array of sums and one list of latencies: with an object and a map of buckets for each, 155,000 of
 * them took a replay of a million events 1.1 µs an event, most of it in the garbage collector.
 */
export class RollupCells {
  #cells = 0
  #sums = new Float64Array(FIRST_CELLS * WIDTH)
  /** The cell and the latency's bucket of each request, in one number. */
  #latencies = new Uint32Array(FIRST_LATENCIES)
  #latencyCount = 0
  /** Where each cell's latencies begin once they are in order. */
  #starts: Uint32Array | null = null

  get cells(): number {
    return this.#cells
  }

  get latencies(): number {
    return this.#latencyCount
  }

  /** Returns a new cell. */
  start(): number {
    if (this.#sums.length === this.#cells * WIDTH) {
      const larger = new Float64Array(2 * this.#sums.length)
      larger.set(this.#sums)
      this.#sums = larger
    }
    return this.#cells++
  }

  /** @param sign -1 takes the request out. It is the same for all requests of one collection. */
  add(cell: number, request: CountedRequest, cost: CostParts, sign: 1 | -1): void {
    const { success, streaming, latency_ms } = request
    const at = cell * WIDTH
    this.#change(at + REQUESTS, sign)
    if (!success) this.#change(at + FAILURES, sign)
    if (streaming) this.#change(at + STREAMS, sign)
    if (streaming && !success) this.#change(at + FAILED_STREAMS, sign)
    if (request.cost_sats === null) {
      this.#change(at + UNPRICED, sign)
      if (!success) this.#change(at + UNPRICED_FAILURES, sign)
    }
    if (request.input_tokens === null) this.#change(at + UNKNOWN_INPUT_TOKENS, sign)
    else this.#change(at + INPUT_TOKENS, sign * request.input_tokens)
    if (request.output_tokens === null) this.#change(at + UNKNOWN_OUTPUT_TOKENS, sign)
    else this.#change(at + OUTPUT_TOKENS, sign * request.output_tokens)
    if (streaming && isUnended(request)) this.#change(at + UNENDED_STREAMS, sign)
    this.#change(at + COST_SATS, sign * cost.sats)
    this.#change(at + COST_NANOSATS, sign * cost.nanosats)
    this.#change(at + LATENCY_MS, sign * latency_ms)
    this.#addLatency(cell * BUCKETS + bucketOf(latency_ms))
  }

  addTo(cell: number, name: SumName, change: number): void {
    this.#change(cell * WIDTH + SUMS.indexOf(name), change)
  }

  /** The sums of a cell, valid until the next change. */
  rollup(cell: number): Rollup {
    this.#starts ??= this.#order()
    const from = this.#starts[cell] ?? 0
    const to = this.#starts[cell + 1] ?? this.#latencyCount
    return {
      sums: this.#sums.subarray(cell * WIDTH, (cell + 1) * WIDTH),
      latencies: storeSorted(this.#latencies, from, to),
    }
  }

  #change(at: number, change: number): void {
    this.#sums[at] = (this.#sums[at] ?? 0) + change
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
    const starts = new Uint32Array(this.#cells + 1)
    let next = 0
    for (let cell = 0; cell <= this.#cells; cell++) {
      while (next < this.#latencyCount && (this.#latencies[next] ?? 0) < cell * BUCKETS) next++
      starts[cell] = next
    }
    return starts
  }
}

function places<const Names extends SumName[]>(...names: Names): { [Index in keyof Names]: number } {
  return names.map((name) => SUMS.indexOf(name)) as { [Index in keyof Names]: number }
}
