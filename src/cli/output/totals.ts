import { countText } from '../../maintenance/count-text.js'
import type { StatsSection } from '../../queries/sums/stats.js'
import { formatCount, formatSats, UNKNOWN } from './format.js'

// The totals of a section for people. An unknown total isn't shown as 0, and a total that leaves
// requests out says so. The sections come from a question with `unknown`.

type Tokens = 'input' | 'output'

/** A total of costs; – if no cost is known. */
export function costTotal({ counts, costs }: StatsSection): string {
  return isUnknown(counts.total, counts.unpriced) ? UNKNOWN : formatSats(costs.total_cost_sats)
}

/** A total of tokens; – if no number is known. */
export function tokenTotal({ counts, costs }: StatsSection, kind: Tokens): string {
  return isUnknown(counts.total, counts[`unknown_${kind}_tokens`])
    ? UNKNOWN
    : formatCount(costs[`total_${kind}_tokens`])
}

/** `1,000 in`, `1,000 in (unknown for 2)` */
export function tokenTotalWithUnknown(section: StatsSection, kind: Tokens): string {
  const unknown = section.counts[`unknown_${kind}_tokens`] ?? 0
  const total = `${tokenTotal(section, kind)} ${kind === 'input' ? 'in' : 'out'}`
  return unknown === 0 ? total : `${total} (unknown for ${formatCount(unknown)})`
}

/**
 * `, without 2 requests whose cost is unknown, and 1 that failed`: a failure rarely has a price,
 * and that is no alarm.
 */
export function withoutUnpriced({ counts }: StatsSection): string {
  const { unpriced = 0, unpriced_error: failed = 0 } = counts
  const succeeded = unpriced - failed
  if (succeeded === 0) return failed === 0 ? '' : `, without ${countText(failed, 'request')} that failed`
  const others = failed === 0 ? '' : `, and ${formatCount(failed)} that failed`
  return `, without ${countText(succeeded, 'request')} whose cost is unknown${others}`
}

/** `3`, `3 (1 failed)` */
export function unpricedCount({ counts }: StatsSection): string {
  const { unpriced = 0, unpriced_error: failed = 0 } = counts
  return failed === 0 ? formatCount(unpriced) : `${formatCount(unpriced)} (${formatCount(failed)} failed)`
}

/** `, 2 of them open, 1 unfinished`: streams whose end isn't known. */
export function withoutEnd({ counts }: StatsSection): string {
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
