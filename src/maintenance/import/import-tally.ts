import type { RequestLogged } from '../../events/event-types.js'
import { decimalText } from '../../folds/costs/decimal.js'
import { splitCost } from '../../folds/sums/split-cost.js'
import type { ImportedLines } from './imported-lines.js'

export const COSTS = ['cost_usd', 'provider_cost_usd', 'cost_sats', 'provider_cost_sats'] as const
const BILLION = 1_000_000_000n

/** How many rejected rows are kept one by one. */
const NAMED_ROWS = 100
/** There are too many rejected rows if they exceed both this number and this share. */
const TOLERATED_ROWS = 10
const TOLERATED_SHARE = 0.1
/** How many requests are shown. */
const SHOWN_REQUESTS = 10

/** What the rows of a source add up to, as the journal keeps them. */
export interface ImportTotals {
  input_tokens: number
  output_tokens: number
  /** Decimal texts with at most nine decimals; null: no request has this cost. */
  cost_usd: string | null
  provider_cost_usd: string | null
  cost_sats: string | null
  provider_cost_sats: string | null
}

/** Counts what rows become. */
export class ImportTally {
  rows = 0
  requests = 0
  rejected = 0
  leftOut = 0
  events = 0
  /** How many requests are known, by where they were found before. */
  readonly knownFrom = { journal: 0, file: 0 }
  /** The first rejected rows. */
  readonly rejections: { line: number; reason: string }[] = []
  /** The first requests. */
  readonly shown: RequestLogged[] = []
  from: string | null = null
  to: string | null = null
  readonly #tokens = { input_tokens: 0, output_tokens: 0 }
  readonly #costs = new Map<(typeof COSTS)[number], bigint>()

  /** Whether so many rows are rejected that the file or the options must be wrong. */
  get hasTooManyRejected(): boolean {
    return this.rejected > TOLERATED_ROWS && this.rejected > this.rows * TOLERATED_SHARE
  }

  refuse(line: number, reason: string): void {
    this.rejected++
    if (this.rejections.length < NAMED_ROWS) this.rejections.push({ line, reason })
  }

  add({ request, lines }: ImportedLines): void {
    const { timestamp } = request
    this.requests++
    this.events += lines.length
    if (this.shown.length < SHOWN_REQUESTS) this.shown.push(request)
    if (this.from === null || timestamp < this.from) this.from = timestamp
    if (this.to === null || timestamp > this.to) this.to = timestamp
    this.#tokens.input_tokens += request.input_tokens ?? 0
    this.#tokens.output_tokens += request.output_tokens ?? 0
    for (const name of COSTS) {
      const cost = request[name] ?? null
      if (cost === null) continue
      const { whole, billionths } = splitCost(cost)
      this.#costs.set(name, (this.#costs.get(name) ?? 0n) + BigInt(whole) * BILLION + BigInt(billionths))
    }
  }

  totals(): ImportTotals {
    const text = (name: (typeof COSTS)[number]) => {
      const sum = this.#costs.get(name)
      if (sum === undefined) return null
      return sum < 0n ? `-${decimalText(-sum, 9)}` : decimalText(sum, 9)
    }
    return {
      ...this.#tokens,
      cost_usd: text('cost_usd'),
      provider_cost_usd: text('provider_cost_usd'),
      cost_sats: text('cost_sats'),
      provider_cost_sats: text('provider_cost_sats'),
    }
  }
}
