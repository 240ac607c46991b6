import type { Currency } from '../../folds/costs/row-cost.js'
import type { StatsSection } from '../../queries/sums/stats.js'
import { formatCount } from './format.js'

// The totals of a section for people. An unknown total isn't shown as 0, and a total that leaves
// requests out says so. The sections must come from a query with `unknown`.

type Tokens = 'input' | 'output'

/** The names of a section's figures in each currency. */
const NAMES = {
  sats: { total: 'total_cost_sats', unpriced: 'unpriced', failed: 'unpriced_error' },
  usd: { total: 'total_cost_usd', unpriced: 'unpriced_usd', failed: 'unpriced_usd_error' },
} as const

/** The costs of a section in a currency; null if none is known. */
export function costOf({ counts, costs }: StatsSection, currency: Currency): number | null {
  const { total, unpriced } = NAMES[currency]
  return isUnknown(counts.total, counts[unpriced]) ? null : (costs[total] ?? null)
}

/** The tokens of a section; null if no number is known. */
export function tokensOf({ counts, costs }: StatsSection, kind: Tokens): number | null {
  return isUnknown(counts.total, counts[`unknown_${kind}_tokens`]) ? null : costs[`total_${kind}_tokens`]
}

/** A total of tokens; – if no number is known. */
export function tokenTotal(section: StatsSection, kind: Tokens): string {
  return formatCount(tokensOf(section, kind))
}

/** `1,000 in`, `1,000 in (unknown for 2)` */
export function tokenTotalWithUnknown(section: StatsSection, kind: Tokens): string {
  const unknown = section.counts[`unknown_${kind}_tokens`] ?? 0
  const total = `${tokenTotal(section, kind)} ${kind === 'input' ? 'in' : 'out'}`
  return unknown === 0 ? total : `${total} (unknown for ${formatCount(unknown)})`
}

/** How many requests a cost leaves out, and how many of them failed. */
export function unpricedIn({ counts }: StatsSection, currency: Currency): [unpriced: number, failed: number] {
  const { unpriced, failed } = NAMES[currency]
  return [counts[unpriced] ?? 0, counts[failed] ?? 0]
}

/** `; 3 unpriced (1 failed)`; empty if none is. */
export function unpricedSuffix(unpriced: number, failed: number): string {
  return unpriced === 0 ? '' : `; ${unpricedText(unpriced, failed)}`
}

/**
 * `3 unpriced (1 failed)`. Wherever requests are counted as unpriced, those that failed are
 * included and named in brackets: a failure rarely has a cost, so it is no cause for alarm.
 */
export function unpricedText(unpriced: number, failed: number): string {
  return `${formatCount(unpriced)} unpriced${failedSuffix(failed)}`
}

/** `3`, `3 (1 failed)` */
export function unpricedCount(unpriced: number, failed: number): string {
  return `${formatCount(unpriced)}${failedSuffix(failed)}`
}

/** ` (1 failed)`; empty if none did. */
function failedSuffix(failed: number): string {
  return failed === 0 ? '' : ` (${formatCount(failed)} failed)`
}

/** `, 38 of them retries`: all others are requests of clients. */
export function retriesSuffix({ counts: { retries = 0 } }: StatsSection): string {
  if (retries === 0) return ''
  return `, ${formatCount(retries)} of them ${retries === 1 ? 'a retry' : 'retries'}`
}

/** A line with the parts of the tokens; none if there are no parts. */
export function tokenPartsLine({ costs }: StatsSection): string[] {
  const parts: [tokens: number | undefined, what: string][] = [
    [costs.total_cache_read_input_tokens, 'read from a cache'],
    [costs.total_cache_creation_input_tokens, 'written to a cache'],
    [costs.total_reasoning_output_tokens, 'of reasoning'],
  ]
  const texts = parts.flatMap(([tokens = 0, what]) =>
    tokens === 0 ? [] : [`${formatCount(tokens)} ${what}`],
  )
  return texts.length === 0 ? [] : [`          of them ${texts.join(', ')}`]
}

/** `, 2 of them open, 1 unfinished`: streams whose end isn't known. */
export function unendedSuffix({ counts }: StatsSection): string {
  const { open = 0, unfinished = 0 } = counts
  const parts = [
    open === 0 ? '' : `${formatCount(open)} open`,
    unfinished === 0 ? '' : `${formatCount(unfinished)} unfinished`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? '' : `, of them ${parts.join(' and ')}`
}

function isUnknown(requests: number, unknown = 0): boolean {
  return requests > 0 && unknown === requests
}
