import { button, element } from '../page/dom.js'
import {
  formatCompact,
  formatCount,
  formatMoney,
  formatMoneyExactly,
  formatMs,
  formatShare,
  UNKNOWN,
} from '../page/format.js'

/**
 * @typedef {object} Asked what the statistics are an answer to
 * @property {boolean} isOfAttempts whether the filters may take some attempts of a request and
 *   leave out others
 * @property {(currency: Currency) => void} onUnpriced called to show the requests without a cost
 *
 * @typedef {object} Figure
 * @property {string} [name] if it isn't what the tile is named for
 * @property {string} value
 * @property {string} [unit]
 * @property {string} [exact] the value with all digits, if it was rounded
 * @property {(string | HTMLElement)[]} [aside]
 * @property {number | null} amount compared with the window before; null: unknown
 *
 * @typedef {object} Tile
 * @property {string} name
 * @property {boolean} [isBadWhenMore] an increase is bad news, a decrease good news
 * @property {boolean} [isShare] the amount is a percentage: it is compared in points
 * @property {(stats: Stats, asked: Asked) => Figure} read
 */

/** The tiles in their order, and how each is read from the statistics. @type {Tile[]} */
export const TILES = [
  { name: 'Requests', read: readRequests },
  { name: 'Cost', read: readCost },
  { name: 'Tokens', read: readTokens },
  { name: 'Cache hits', isShare: true, read: readCacheHits },
  { name: 'Failures', isBadWhenMore: true, read: readFailures },
  { name: 'Latency (median)', isBadWhenMore: true, read: readLatency },
]

/**
 * The costs of a window, or of a group, in the currency that it is shown in.
 *
 * @param {Pick<Stats, 'counts' | 'costs' | 'currency'>} stats
 * @returns {{ currency: Currency, cost: number, unpriced: number, unpricedFailures: number }}
 */
export function costsOf({ counts, costs, currency = 'sats' }) {
  const { unpriced = 0, unpriced_error = 0, unpriced_usd = 0, unpriced_usd_error = 0 } = counts
  return currency === 'usd'
    ? {
        currency,
        cost: costs.total_cost_usd ?? 0,
        unpriced: unpriced_usd,
        unpricedFailures: unpriced_usd_error,
      }
    : { currency, cost: costs.total_cost_sats, unpriced, unpricedFailures: unpriced_error }
}

/** @param {number} amount */
function count(amount) {
  return { value: formatCompact(amount), exact: formatCount(amount), amount }
}

/**
 * Counts the requests of clients: a retry is another attempt at a request that is counted already,
 * unless the filters leave that one out. Then attempts are what can be counted.
 *
 * @param {Stats} stats
 * @param {Pick<Asked, 'isOfAttempts'>} asked
 * @returns {Figure}
 */
function readRequests({ counts: { total, streaming, open = 0, unfinished = 0, retries = 0 } }, asked) {
  const isOfAttempts = asked.isOfAttempts && retries > 0
  const parts = [
    ...(retries === 0
      ? []
      : [
          ...(isOfAttempts ? [] : [strong(total), ' attempts, ']),
          strong(retries),
          retries === 1 ? ' retry' : ' retries',
          ...(streaming === 0 ? [] : [', ']),
        ]),
    ...(retries > 0 && streaming === 0 ? [] : [strong(streaming), ' streams']),
    ...(open === 0 ? [] : [', ', strong(open), ' open']),
    ...(unfinished === 0 ? [] : [', ', strong(unfinished), ' unfinished']),
  ]
  if (isOfAttempts) return { ...count(total), name: 'Attempts', aside: parts }
  return { ...count(total - retries), aside: parts }
}

/**
 * The cost. It is unknown if no request has one. If some have none, it says how many, and how many
 * of these failed: most failures have no cost, which is no cause for alarm.
 *
 * @type {Tile['read']}
 */
function readCost(stats, { onUnpriced }) {
  const { total } = stats.counts
  const { currency, cost, unpriced, unpricedFailures: failed } = costsOf(stats)
  const ofThemFailed = failed === 0 ? '' : ` (${formatCompact(failed)} failed)`
  const link = button(
    `${formatCompact(unpriced)} unpriced${ofThemFailed}`,
    () => onUnpriced(currency),
    unpriced === failed ? 'unpriced' : 'unpriced is-warned',
  )
  link.title = `Show the ${formatCount(unpriced)} without a known cost in ${currency}`
  if (total > 0 && unpriced === total) return { value: UNKNOWN, aside: [link], amount: null }
  const priced = total - unpriced
  const left = unpriced === 0 ? '' : `; ${formatCount(unpriced)} unpriced`
  const each = bold(formatMoney(cost / priced, currency))
  each.title = `${formatMoneyExactly(cost / priced, currency)}: the cost of all priced requests, divided by their number`
  return {
    value: formatMoney(cost, currency),
    unit: currency === 'usd' ? '' : 'sats',
    exact: formatMoneyExactly(cost, currency) + left,
    aside: [...(priced === 0 ? [] : [each, ' each']), ...(unpriced === 0 ? [] : [', ', link])],
    amount: cost,
  }
}

/**
 * @param {Stats} stats
 * @returns {Figure}
 */
function readTokens({ counts, costs: { total_input_tokens: input, total_output_tokens: output } }) {
  const { total, unknown_input_tokens: noInput = 0, unknown_output_tokens: noOutput = 0 } = counts
  const unknown = Math.max(noInput, noOutput)
  if (total > 0 && noInput === total && noOutput === total) {
    return { value: UNKNOWN, aside: [`unknown for ${all(total)}`], amount: null }
  }
  const [shownInput, shownOutput] = [
    noInput === total && total > 0 ? bold(UNKNOWN) : strong(input),
    noOutput === total && total > 0 ? bold(UNKNOWN) : strong(output),
  ]
  const left = unknown === 0 ? '' : `, not counting ${formatCount(unknown)} whose tokens are unknown`
  return {
    ...count(input + output),
    exact: `${formatCount(input)} in, ${formatCount(output)} out${left}`,
    aside: [
      shownInput,
      ' in, ',
      shownOutput,
      ' out',
      ...(unknown === 0 ? [] : [', unknown for ', strong(unknown)]),
    ],
  }
}

/**
 * @param {Stats} stats
 * @returns {Figure}
 */
function readLatency({
  performance: { p50_latency_ms: p50 = null, p95_latency_ms: p95, p99_latency_ms: p99 },
}) {
  const [value = UNKNOWN, unit = ''] = splitUnit(formatMs(p50))
  return { value, unit, aside: ['p95 ', bold(formatMs(p95)), ', p99 ', bold(formatMs(p99))], amount: p50 }
}

/**
 * How much of the input came from a cache. If no cache reads were logged, it is unknown whether
 * there were any.
 *
 * @param {Stats} stats
 * @returns {Figure}
 */
function readCacheHits({ costs }) {
  const { total_input_tokens: input, total_cache_read_input_tokens: read = 0 } = costs
  const { total_cache_creation_input_tokens: written = 0 } = costs
  const isKnown = read > 0 && input > 0
  const [value = UNKNOWN, unit = ''] = isKnown ? splitUnit(formatShare(read, input)) : []
  const aside = isKnown ? [strong(read), ' of ', strong(input), ' tokens in'] : ['no cache reads logged']
  return {
    value,
    unit,
    exact: isKnown ? `${formatCount(read)} of ${formatCount(input)} tokens in` : '',
    aside: [...aside, ...(written === 0 ? [] : [', ', strong(written), ' written'])],
    amount: isKnown ? (read / input) * 100 : null,
  }
}

/**
 * @param {Stats} stats
 * @returns {Figure}
 */
function readFailures({ counts: { total, error, retries = 0 } }) {
  const of = retries === 0 ? ' of all' : ' of attempts'
  return { ...count(error), aside: total === 0 ? [] : [bold(formatShare(error, total)), of] }
}

/** @param {number} total */
function all(total) {
  return total === 1 ? 'the only one' : `all ${formatCompact(total)}`
}

/** @param {string} text `812 ms`, but not `2 min 5 s` */
function splitUnit(text) {
  const match = /^(\S+) (\D+)$/.exec(text)
  return match === null ? [text] : [match[1] ?? text, match[2] ?? '']
}

/** @param {number} amount */
function strong(amount) {
  const made = bold(formatCompact(amount))
  made.title = formatCount(amount)
  return made
}

/** @param {string} text */
function bold(text) {
  return element('b', '', text)
}
