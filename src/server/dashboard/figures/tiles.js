import { byId, element } from '../page/dom.js'
import { formatCompact, UNKNOWN } from '../page/format.js'
import { TILES } from './readings.js'

/**
 * @typedef {import('./readings.js').Figure} Figure
 * @typedef {{ text: string, spoken: string, tone: '' | 'is-bad' | 'is-good' }} Delta
 */

const SAME = '= same'

/** The row of figures, each compared with the window before. */
export class Tiles {
  #root = byId('tiles', HTMLElement)
  /** @type {import('./readings.js').Asked} what the shown figures answer */
  #asked
  #slots = TILES.map((tile) => {
    const name = element('dt', '', tile.name)
    const figure = element('dd', 'figure', UNKNOWN)
    const aside = element('dd', 'aside')
    const delta = element('dd', 'delta')
    this.#root.append(element('div', 'tile', name, figure, aside, delta))
    return { tile, name, figure, aside, delta, amount: /** @type {number | null} */ (null) }
  })

  /** @param {boolean} isBusy whether the figures of another question are on their way */
  setBusy(isBusy) {
    this.#root.setAttribute('aria-busy', String(isBusy))
  }

  /** Shows that nothing is known. */
  clear() {
    this.setBusy(false)
    for (const { tile, name, figure, aside, delta } of this.#slots) {
      name.textContent = tile.name
      figure.replaceChildren(UNKNOWN)
      aside.replaceChildren()
      delta.replaceChildren()
    }
  }

  /**
   * @param {(currency: Currency) => void} onUnpriced called to show the
   *   requests without a cost
   */
  constructor(onUnpriced) {
    this.onUnpriced = onUnpriced
    this.#asked = { isOfAttempts: false, onUnpriced }
  }

  /**
   * @param {Stats} stats
   * @param {boolean} isOfAttempts whether the filters may take some attempts of a request and leave
   *   out others
   */
  show(stats, isOfAttempts) {
    this.setBusy(false)
    this.#asked = { isOfAttempts, onUnpriced: this.onUnpriced }
    for (const slot of this.#slots) {
      const { name, value, unit, exact, aside = [], amount } = slot.tile.read(stats, this.#asked)
      slot.name.textContent = name ?? slot.tile.name
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
      // If there were no requests before, there is nothing to compare with.
      const isNothing = before === null || before.counts.total === 0
      const old = isNothing ? null : tile.read(before, this.#asked)
      const { text, spoken, tone } = describeDelta(amount, old?.amount ?? null, tile)
      delta.className = `delta ${tone}`
      const said = spoken === '' ? '' : `${spoken} ${name}`
      delta.title = said === '' || old?.exact === undefined ? said : `${said} (${old.exact})`
      const shown = element('span', '', text, element('span', 'from', fromText(old, text)))
      shown.setAttribute('aria-hidden', 'true')
      delta.replaceChildren(...(text === '' ? [] : [shown, element('span', 'unseen', said)]))
    }
  }
}

/**
 * The old value, ` from 25.4 k`, with its unit unless that is clear.
 *
 * @param {Figure | null} old
 * @param {string} delta
 */
function fromText(old, delta) {
  if (old === null || old.amount === null || delta === SAME) return ''
  return ` from ${old.value}${old.unit === undefined || old.unit === 'sats' || old.unit === '' ? '' : ` ${old.unit}`}`
}

/**
 * Compares an amount with the one before.
 *
 * @param {number | null} now
 * @param {number | null} before
 * @param {{ isBadWhenMore?: boolean, isShare?: boolean }} meaning isShare: both are percentages
 * @returns {Delta}
 */
export function describeDelta(now, before, { isBadWhenMore = false, isShare = false }) {
  if (now === null || before === null) return { text: '', spoken: '', tone: '' }
  if (now === 0 && before === 0) return { text: '', spoken: '', tone: '' }
  if (now === before) return { text: SAME, spoken: 'The same as', tone: '' }
  const isMore = now > before
  const tone = isBadWhenMore ? (isMore ? 'is-bad' : 'is-good') : ''
  const arrow = isMore ? '▲' : '▼'
  if (isShare) {
    const points = `${Math.abs(now - before).toFixed(1)} points`
    return { text: `${arrow} ${points}`, spoken: `${isMore ? 'Up' : 'Down'} ${points} from`, tone }
  }
  if (before === 0) return { text: arrow, spoken: 'Up from 0 in', tone }
  // A percentage of a negative sum would be meaningless.
  if (before < 0 || now < 0) return { text: arrow, spoken: isMore ? 'Up from' : 'Down from', tone }
  const percent = Math.abs((now - before) / before) * 100
  const size =
    percent < 0.05
      ? '< 0.1 %'
      : percent >= 999.5
        ? `× ${formatCompact(Math.round(now / before))}`
        : `${percent.toFixed(percent < 99.95 ? 1 : 0)} %`
  return { text: `${arrow} ${size}`, spoken: `${isMore ? 'Up' : 'Down'} ${size} from`, tone }
}
