import type { RequestLogged } from '../../events/event-types.js'
import { decimalText } from '../../folds/costs/decimal.js'
import { billionthsOf } from '../../folds/sums/counted-values.js'

export const COSTS = ['cost_usd', 'provider_cost_usd', 'cost_sats', 'provider_cost_sats'] as const

/** What a row carries that is summed; what isn't known is left out or null. */
export type Amounts = {
  [Name in 'input_tokens' | 'output_tokens' | (typeof COSTS)[number]]?: RequestLogged[Name] | null | undefined
}

/**
 * What the rows of a source add up to, as the journal keeps them. Costs are decimal texts with at
 * most nine decimals; null: no request has this cost.
 */
export type ImportTotals = Record<'input_tokens' | 'output_tokens', number> &
  Record<(typeof COSTS)[number], string | null>

/** Sums what rows carry. */
export class AmountSums {
  readonly #tokens = { input_tokens: 0, output_tokens: 0 }
  readonly #costs = new Map<(typeof COSTS)[number], bigint>()

  add(amounts: Amounts): void {
    this.#tokens.input_tokens += amounts.input_tokens ?? 0
    this.#tokens.output_tokens += amounts.output_tokens ?? 0
    for (const name of COSTS) {
      const cost = amounts[name] ?? null
      if (cost !== null) this.#costs.set(name, (this.#costs.get(name) ?? 0n) + billionthsOf(cost))
    }
  }

  totals(): ImportTotals {
    const text = (name: (typeof COSTS)[number]) => {
      const sum = this.#costs.get(name)
      return sum === undefined ? null : decimalText(sum, 9)
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
