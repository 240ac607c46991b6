import { costNanosatsSql, costSatsSql } from '../storage/cost-parts.js'
import { LatencyHistogram } from '../storage/latency-histogram.js'
import { SUMS, type SumName } from '../storage/rollup-rows.js'
import { wholeNumberSql } from '../storage/whole-number.js'

/** Of these a few absurd values would overflow the 64 bits of an SQL sum. */
const GREAT: ReadonlySet<SumName> = new Set(['input_tokens', 'output_tokens', 'cost_sats', 'latency_ms'])

const LOW_BITS = 32n
const NANOSATS = 10n ** 9n

/** What a row adds to each sum: as the roll-ups count it. */
const OF_ROW: Readonly<Record<SumName, string>> = {
  requests: '1',
  failures: 'success = 0',
  streams: 'streaming <> 0',
  failed_streams: 'success = 0 AND streaming <> 0',
  unpriced: 'cost_sats IS NULL',
  input_tokens: wholeNumberSql('input_tokens'),
  output_tokens: wholeNumberSql('output_tokens'),
  cost_sats: costSatsSql('cost_sats'),
  cost_nanosats: costNanosatsSql('cost_sats'),
  latency_ms: wholeNumberSql('latency_ms'),
}

/** Columns of a SELECT over rows, or over roll-ups, that {@link Tally.add} takes. */
export const ROW_SUMS = sumColumns((name) => OF_ROW[name])
export const ROLLUP_SUMS = sumColumns((name) => name)

function sumColumns(expression: (name: SumName) => string): string {
  const columns = SUMS.map((name) => {
    const value = expression(name)
    return GREAT.has(name) ? `sum((${value}) >> 32), sum((${value}) & 4294967295)` : `sum(${value})`
  })
  return columns.join(', ')
}

/** Sums over some requests, exact however large, so that roll-ups and rows can be added and taken away. */
export class Tally {
  readonly #sums: Record<SumName, bigint>
  #latencies: LatencyHistogram | null = null

  constructor() {
    this.#sums = Object.fromEntries(SUMS.map((name) => [name, 0n])) as Record<SumName, bigint>
  }

  /** @param columns those of {@link ROW_SUMS} or {@link ROLLUP_SUMS}. */
  add(columns: readonly (bigint | null)[], sign: 1 | -1): void {
    let at = 0
    for (const name of SUMS) {
      const first = columns[at++] ?? 0n
      const sum = GREAT.has(name) ? (first << LOW_BITS) + (columns[at++] ?? 0n) : first
      this.#sums[name] += sign === 1 ? sum : -sum
    }
  }

  addTally(other: Tally): void {
    for (const name of SUMS) this.#sums[name] += other.#sums[name]
    if (other.#latencies !== null) this.latencies.addHistogram(other.#latencies)
  }

  /** Filled only where percentiles are asked for: it is large. */
  get latencies(): LatencyHistogram {
    this.#latencies ??= new LatencyHistogram()
    return this.#latencies
  }

  get requests(): number {
    return Number(this.#sums.requests)
  }

  get failures(): number {
    return Number(this.#sums.failures)
  }

  get streams(): number {
    return Number(this.#sums.streams)
  }

  /** How many of the requests have this outcome, and are streams or none; undefined: either. */
  requestsThat(success: boolean | undefined, streaming: boolean | undefined): number {
    const { requests, failures, streams, failed_streams } = this.#sums
    const all = { failed: failures, whole: requests }
    const streamed = { failed: failed_streams, whole: streams }
    const plain = { failed: failures - failed_streams, whole: requests - streams }
    const { failed, whole } = streaming === undefined ? all : streaming ? streamed : plain
    return Number(success === undefined ? whole : success ? whole - failed : failed)
  }

  get unpriced(): number {
    return Number(this.#sums.unpriced)
  }

  get inputTokens(): number {
    return Number(this.#sums.input_tokens)
  }

  get outputTokens(): number {
    return Number(this.#sums.output_tokens)
  }

  /** The number nearest to the sum, which is exact to a billionth. */
  get costSats(): number {
    const nanosats = this.#sums.cost_sats * NANOSATS + this.#sums.cost_nanosats
    const size = nanosats < 0n ? -nanosats : nanosats
    // By way of the decimal text: a division of two numbers would round twice.
    const decimal = `${size / NANOSATS}.${String(size % NANOSATS).padStart(9, '0')}`
    return nanosats < 0n ? -Number(decimal) : Number(decimal)
  }

  /** 0 for no requests. */
  get meanLatencyMs(): number {
    const requests = this.requests
    return requests === 0 ? 0 : Number(this.#sums.latency_ms) / requests
  }
}
