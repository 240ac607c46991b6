import { copyButton, element } from '../page/dom.js'
import { formatClock, formatCount, formatDay, formatExactly, UNKNOWN } from '../page/format.js'
import { zoneName } from '../page/zone.js'
import { factList, placeCode } from './facts.js'

/**
 * @typedef {NonNullable<RequestDetail['price']>} Price
 * @typedef {NonNullable<RequestDetail['exchange_rate']>} Rate
 * @typedef {NonNullable<RequestDetail['unpriced']>} Unpriced
 * @typedef {import('./facts.js').NamedFact} NamedFact
 */

const SOURCES = {
  logged: 'Logged by the gateway',
  provider: 'Reported by the provider',
  price_book: 'Tokens times the price in force',
}

/** What the parts of the tokens are called. */
const PARTS = /** @type {const} */ ({
  input: 'Input',
  cache_read_input: 'Cache read',
  cache_creation_input: 'Cache written',
  cache_creation_1h_input: 'Cache written, 1 h',
  audio_input: 'Audio in',
  image_input: 'Images in',
  output: 'Output',
  reasoning_output: 'Reasoning',
  audio_output: 'Audio out',
})

/**
 * Shows what a request cost and how that came about: the tokens, their prices, since when these are
 * in force and where they are from; or why the cost is unknown.
 *
 * @param {RequestDetail} request
 * @returns {HTMLElement}
 */
export function costSection(request) {
  const { cost_source: source, price, exchange_rate: rate, unpriced } = request
  const how = source === null ? [] : [element('span', 'muted', SOURCES[source])]
  const section = element('section', 'cost', element('h3', '', 'Cost', ...how))
  section.append(totals(request))
  if (unpriced !== null) section.append(reasonOf(unpriced))
  if (price !== null) section.append(products(request, price))
  const facts = [...priceFacts(price), ...rateFacts(rate), ...providerFacts(request)]
  if (facts.length > 0) section.append(factList(facts))
  return section
}

/** @param {RequestDetail} request */
function totals({ cost, cost_currency: currency, unpriced }) {
  const isKnown = cost.sats !== null || cost.usd !== null
  const amounts = [amount(cost.sats, 'sats'), amount(cost.usd, 'usd')]
  // The currency of the source's figure comes first; the other one follows from it.
  if (currency === 'usd' || (cost.sats === null && cost.usd !== null)) amounts.reverse()
  // The unknown amount is left out if its currency isn't in use.
  if (isKnown && unpriced === null && (cost.sats === null || cost.usd === null)) amounts.pop()
  return element('p', 'cost-totals', ...amounts)
}

/**
 * @param {number | null} value
 * @param {'sats' | 'usd'} currency
 */
function amount(value, currency) {
  const figure = element('b', '', value === null ? UNKNOWN : formatExactly(value))
  return element('span', value === null ? 'muted' : '', figure, element('span', 'unit', currency))
}

/** @param {Unpriced} unpriced */
function reasonOf({ currency, text, command }) {
  const where = currency === 'both' ? 'Unknown.' : `Unknown in ${currency}.`
  const reason = element('p', '', element('strong', '', where), ` ${text}`)
  const box = element('div', currency === 'both' ? 'cost-reason is-warned' : 'cost-reason', reason)
  if (command !== null) {
    const code = element('code', '', command)
    box.append(element('div', 'command', code, copyButton(code, command)))
  }
  return box
}

/**
 * The table of tokens × price = cost.
 *
 * @param {RequestDetail} request
 * @param {Price} price
 */
function products(
  { cost, cost_parts: parts, tokens },
  { currency, per_request: perRequest, per_million: prices },
) {
  const row = (/** @type {string[]} */ ...cells) =>
    element('tr', '', ...cells.map((cell, index) => element(index === 0 ? 'th' : 'td', '', cell)))
  const cached = prices?.cache_read_input === undefined ? (tokens.cache_read_input ?? 0) : 0
  const inputName = cached === 0 ? PARTS.input : `Input, ${formatCount(cached)} from a cache`
  const rows = (parts ?? []).map(({ part, tokens, per_million: perMillion, cost: product }) =>
    row(part === 'input' ? inputName : PARTS[part], `${formatCount(tokens)} ×`, perMillion, `= ${product}`),
  )
  if (perRequest !== null) rows.push(row('Per request', '', '', perRequest))
  const total = currency === 'usd' ? (cost.usd ?? null) : cost.sats
  const head = element('thead', '', row('', 'Tokens', `${currency} per million`, currency))
  const foot = element('tfoot', '', row('Total', '', '', formatExactly(total)))
  return element('table', 'products', head, element('tbody', '', ...rows), foot)
}

/**
 * @param {Price | null} price
 * @returns {NamedFact[]}
 */
function priceFacts(price) {
  if (price === null) return []
  const { provider, model, service_tier: tier, min_input_tokens: least, valid_from: since } = price
  const conditions = [
    provider ?? 'any provider',
    ...(tier === null ? [] : [`service tier ${tier}`]),
    ...(least === null ? [] : [`from ${formatCount(least)} tokens in`]),
  ]
  return [
    ['Price of', `${model}, ${conditions.join(', ')}`],
    ['In force since', timeText(since)],
    ['Set by', originOf(price)],
  ]
}

/**
 * @param {Rate | null} rate
 * @returns {NamedFact[]}
 */
function rateFacts(rate) {
  if (rate === null) return []
  const { usd_per_btc: usd, observed_at: observed } = rate
  return [
    ['Exchange rate', `${formatExactly(Number(usd))} usd for a bitcoin, ${timeText(observed)}`],
    ['Recorded by', originOf(rate)],
  ]
}

/**
 * The provider's own figures, if they aren't the costs themselves.
 *
 * @param {RequestDetail} request
 * @returns {NamedFact[]}
 */
function providerFacts({ cost_source: source, provider_cost_sats: sats, provider_cost_usd: usd }) {
  if (source === 'provider' || (sats === null && usd === null)) return []
  const figures = [
    ...(sats === null ? [] : [`${formatExactly(sats)} sats`]),
    ...(usd === null ? [] : [`${formatExactly(usd)} usd`]),
  ]
  return [['Provider reported', figures.join(', ')]]
}

/** @param {Price | Rate} event */
function originOf(event) {
  return element('span', '', ...(event.source === null ? [] : [`${event.source}, `]), placeCode(event))
}

/** @param {string} timestamp canonical */
function timeText(timestamp) {
  // With milliseconds, if there are any, so that it can be passed to `--valid-from` to correct a
  // price.
  const fraction = timestamp.slice(19, -1).replace('.000', '')
  return `${formatDay(timestamp)} ${formatClock(timestamp)}${fraction} ${zoneName()}`
}
