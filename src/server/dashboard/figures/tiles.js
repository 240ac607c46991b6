import { byId, element } from '../page/dom.js'
import {
  formatCompact,
  formatCount,
  formatExactly,
  formatMs,
  formatSats,
  formatShare,
  UNKNOWN,
} from '../page/format.js'

/**
 * @typedef {import('../../../queries/index.js').Stats} Stats
 * @typedef {{ text: string, spoken: string, tone: '' | 'is-bad' | 'is-good' }} Delta
 *
 * @typedef {object} Figure
 * @property {string} value
 * @property {string} [unit]
 * @property {string} [exact] all digits, if the value has fewer
 * @property {(string | HTMLElement)[]} [aside]
 * @property {number | null} amount compared with the window before; null: unknown
 *
 * @typedef {object} Tile
 * @property {string} name
 * @property {boolean} [isBadWhenMore] an increase is bad news, a decrease good news
 * @property {(stats: Stats) => Figure} read
 */

const SAME = '= same'

/** @type {Tile[]} */
const TILES = [
  { name: 'Requests', read: readRequests },
  { name: 'Cost', read: readCost },
  { name: 'Tokens', read: readTokens },
  {
    name: 'Failures',
    isBadWhenMore: true,
    read: ({ counts }) => ({
      ...count(counts.error),
      aside: counts.total === 0 ? [] : [bold(formatShare(counts.error, counts.total)), ' of all'],
    }),
  },
  { name: 'Latency (median)', isBadWhenMore: true, read: readLatency },
  { name: 'Unpriced', isBadWhenMore: true, read: readUnpriced },
]

/** The row of figures, each compared with the window before. */
export class Tiles {
  #root = byId('tiles', HTMLElement)
  #slots = TILES.map((tile) => {
    const figure = element('dd', 'figure', UNKNOWN)
    const aside = element('dd', 'aside')
    const delta = element('dd', 'delta')
    this.#root.append(element('div', 'tile', element('dt', '', tile.name), figure, aside, delta))
    return { tile, figure, aside, delta, amount: /** @type {number | null} */ (null) }
  })

  /** @param {boolean} isBusy whether the figures of another question are on their way */
  setBusy(isBusy) {
    this.#root.setAttribute('aria-busy', String(isBusy))
  }

  /** Shows that nothing is known. */
  clear() {
    this.setBusy(false)
    for (const { figure, aside, delta } of this.#slots) {
      figure.replaceChildren(UNKNOWN)
      aside.replaceChildren()
      delta.replaceChildren()
    }
  }

  /** @param {Stats} stats */
  show(stats) {
    this.setBusy(false)
    for (const slot of this.#slots) {
      const { value, unit, exact, aside = [], amount } = slot.tile.read(stats)
      slot.figure.replaceChildren(value, ...(unit === undefined ? [] : [element('span', 'unit', unit)]))
      slot.figure.title = exact ?? ''
      slot.aside.replaceChildren(...aside)
      slot.amount = amount
    }
  }

  /**
   * @param {Stats | null} before null: unknown
   * @param {string} name what the window before is called
   */
  compare(before, name) {
    for (const { tile, amount, delta } of this.#slots) {
      const old = before === null ? null : tile.read(before)
      const { text, spoken, tone } = describeDelta(amount, old?.amount ?? null, tile)
      delta.className = `delta ${tone}`
      delta.title = spoken === '' ? '' : `${spoken} ${name}`
      const shown = element('span', '', text, element('span', 'from', fromText(old, text)))
      shown.setAttribute('aria-hidden', 'true')
      delta.replaceChildren(...(text === '' ? [] : [shown, element('span', 'unseen', delta.title)]))
    }
  }
}

/**
 * The old value, ` from 25.4 k`, with its unit unless that is sats.
 *
 * @param {Figure | null} old
 * @param {string} delta
 */
function fromText(old, delta) {
  if (old === null || old.amount === null || delta === SAME) return ''
  return ` from ${old.value}${old.unit === undefined || old.unit === 'sats' ? '' : ` ${old.unit}`}`
}

/**
 * Compares an amount with the one before.
 *
 * @param {number | null} now
 * @param {number | null} before
 * @param {{ isBadWhenMore?: boolean }} meaning
 * @returns {Delta}
 */
export function describeDelta(now, before, { isBadWhenMore = false }) {
  if (now === null || before === null) return { text: UNKNOWN, spoken: 'Not known against', tone: '' }
  if (now === 0 && before === 0) return { text: '', spoken: '', tone: '' }
  if (now === before) return { text: SAME, spoken: 'The same as', tone: '' }
  const isMore = now > before
  const tone = isBadWhenMore ? (isMore ? 'is-bad' : 'is-good') : ''
  const arrow = isMore ? '▲' : '▼'
  if (before === 0) return { text: arrow, spoken: 'Up from 0 in', tone }
  // A percentage of a negative sum would mean nothing.
  if (before < 0 || now < 0) return { text: arrow, spoken: isMore ? 'Up against' : 'Down against', tone }
  const percent = Math.abs((now - before) / before) * 100
  const size =
    percent < 0.05
      ? '< 0.1 %'
      : percent >= 999.5
        ? `× ${formatCompact(Math.round(now / before))}`
        : `${percent.toFixed(percent < 99.95 ? 1 : 0)} %`
  return { text: `${arrow} ${size}`, spoken: `${isMore ? 'Up' : 'Down'} ${size} against`, tone }
}

/** @param {number} amount */
function count(amount) {
  return { value: formatCompact(amount), exact: formatCount(amount), amount }
}

/**
 * @param {Stats} stats
 * @returns {Figure}
 */
function readRequests({ counts: { total, streaming, open = 0, unfinished = 0 } }) {
  const states = [
    ...(open === 0 ? [] : [', ', strong(open), ' open']),
    ...(unfinished === 0 ? [] : [', ', strong(unfinished), ' unfinished']),
  ]
  return { ...count(total), aside: [strong(streaming), ' streams', ...states] }
}

/**
 * The cost: unknown if no request has one; if some lack one, it says so.
 *
 * @param {Stats} stats
 * @returns {Figure}
 */
function readCost({ counts: { total, unpriced = 0 }, costs: { total_cost_sats: sats } }) {
  if (total > 0 && unpriced === total) {
    return { value: UNKNOWN, aside: [`unknown of ${all(total)}`], amount: null }
  }
  const priced = total - unpriced
  return {
    value: formatSats(sats),
    unit: 'sats',
    exact: `${formatExactly(sats)} sats${unpriced === 0 ? '' : `, without ${formatCount(unpriced)} whose cost is unknown`}`,
    aside: priced === 0 ? [] : [bold(formatSats(sats / priced)), ' each'],
    amount: sats,
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
    return { value: UNKNOWN, aside: [`unknown of ${all(total)}`], amount: null }
  }
  const [shownInput, shownOutput] = [
    noInput === total && total > 0 ? bold(UNKNOWN) : strong(input),
    noOutput === total && total > 0 ? bold(UNKNOWN) : strong(output),
  ]
  const left = unknown === 0 ? '' : `, without ${formatCount(unknown)} whose tokens are unknown`
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
 * Counts successes without a cost. Failures mostly have none, which is no cause for alarm.
 *
 * @param {Stats} stats
 * @returns {Figure}
 */
function readUnpriced({ counts: { total, error, unpriced, unpriced_error: failed = 0 } }) {
  if (unpriced === undefined) return { value: UNKNOWN, amount: null }
  if (total === 0) return count(0)
  const successes = unpriced - failed
  const share =
    successes === 0
      ? [total === error ? 'no successes' : 'no success lacks one']
      : [bold(formatShare(successes, total - error)), ' of successes']
  return {
    ...count(successes),
    aside: [...share, ...(failed === 0 ? [] : ['; ', strong(failed), ' failed'])],
  }
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
  return bold(formatCompact(amount))
}

/** @param {string} text */
function bold(text) {
  return element('b', '', text)
}
