import { ApiError, ask } from '../api/api.js'
import { shownMoment } from '../api/clock.js'
import { sumsQuery } from '../api/questions.js'
import { wholeOf } from '../charts/shares.js'
import { choiceOf } from '../controls/name-choice.js'
import { announce, button, byId, copyButton, element, headCell, setLabel, setTitle } from '../page/dom.js'
import { csvOf, saveFile } from '../page/file.js'
import { formatCount, formatExactly, UNKNOWN } from '../page/format.js'
import { groupName, kindOf, othersText } from '../page/groups.js'
import { costsOf } from './readings.js'

/**
 * @typedef {object} Sum
 * @property {string} name as it is shown
 * @property {string | null | undefined} group its name, null for requests without one; undefined:
 *   all others
 * @property {number | null} cost null: unknown
 * @property {number} requests
 * @property {number} unpriced
 */

/** How many names are asked for at first, and how many at most: "Show more" asks for ten times. */
const FIRST = 100
const MOST = 10_000

const SECTIONS = /** @type {const} */ ({
  model: 'models',
  provider: 'providers',
  policy: 'policies',
  service_tier: 'service_tiers',
  error_status: 'error_statuses',
  journal: 'journals',
})

/** A drawer with the cost of each name, with all digits, its share and its requests. */
export class Sums {
  #dialog = byId('sums', HTMLDialogElement)
  #title = element('h2')
  #tools = element('span', 'sums-tools')
  #body = element('div', 'detail-body')
  #asking = new AbortController()

  /** @param {PageStore} store */
  constructor(store) {
    this.store = store
    this.#title.id = 'sums-title'
    const close = button('✕', () => this.#dialog.close(), 'icon-button')
    setLabel(close, 'Close')
    this.#dialog.append(element('header', 'detail-head', this.#title, this.#tools, close), this.#body)
    this.#dialog.addEventListener('click', ({ target }) => {
      if (target === this.#dialog) this.#dialog.close()
    })
    this.#dialog.addEventListener('close', () => this.#asking.abort())
  }

  /** Shows the sums of the window and grouping that the page shows. */
  open() {
    this.#title.textContent = `Cost by ${kindOf(this.store.state.by)}`
    this.#tools.replaceChildren()
    this.#body.replaceChildren()
    if (!this.#dialog.open) this.#dialog.showModal()
    void this.#load(FIRST, shownMoment())
  }

  /**
   * @param {number} limit
   * @param {number} moment
   */
  async #load(limit, moment) {
    this.#asking.abort()
    this.#asking = new AbortController()
    const { signal } = this.#asking
    const { state } = this.store
    this.#body.setAttribute('aria-busy', 'true')
    try {
      this.#show(state, await askSums(state, moment, limit, signal), { limit, moment })
    } catch (error) {
      if (signal.aborted) return
      const text = error instanceof ApiError ? error.message : String(error)
      const title = element('strong', '', 'The sums can’t be shown.')
      this.#body.replaceChildren(element('div', 'banner is-bad', title, element('span', '', text)))
    } finally {
      if (!signal.aborted) this.#body.setAttribute('aria-busy', 'false')
    }
  }

  /**
   * @param {PageState} state
   * @param {Stats} stats
   * @param {{ limit: number, moment: number }} asked
   */
  #show(state, stats, { limit, moment }) {
    const sums = sumsOf(state, stats)
    const total = sumOf('Total', undefined, stats, stats)
    const { currency } = costsOf(stats)
    const heads = [kindOf(state.by), currency, 'Share', 'Requests', 'Unpriced']
    const whole = wholeOf(sums.map(({ cost }) => cost))
    const cells = [...sums, total].map((sum) => cellsOf(sum, whole))
    const rows = cells.map((texts, index) => {
      const { name, group } = sums[index] ?? total
      const change = group === undefined ? null : choiceOf(state, state.by, group)
      const choose = () => {
        this.#dialog.close()
        this.store.update(change ?? {})
      }
      const title = headCell('row', change === null ? name : button(name, choose, 'name'))
      setTitle(title, name)
      return element('tr', '', title, ...texts.slice(1).map((text) => element('td', '', text)))
    })
    const foot = rows.pop() ?? ''
    const table = element(
      'table',
      'sums',
      element('caption', 'unseen', `Cost by ${kindOf(state.by)}`),
      element('thead', '', element('tr', '', ...heads.map((name) => headCell('col', name)))),
      element('tbody', '', ...rows),
      element('tfoot', '', foot),
    )
    const csv = button('CSV', () => void this.#save(state, moment, csv))
    this.#tools.replaceChildren(
      copyButton(table, [heads, ...cells].map((texts) => texts.join('\t')).join('\n')),
      csv,
    )
    const hasMore = stats.other !== undefined && limit < MOST
    const more = button('Show more', () => void this.#load(limit * 10, moment))
    this.#body.replaceChildren(table, ...(hasMore ? [more] : []))
    announce(`${formatCount(sums.length)} rows`)
  }

  /**
   * @param {PageState} state
   * @param {number} moment
   * @param {HTMLButtonElement} csv
   */
  async #save(state, moment, csv) {
    csv.disabled = true
    try {
      const stats = await askSums(state, moment, MOST, this.#asking.signal)
      saveFile(`cost-by-${kindOf(state.by).replace(/[^\w-]+/g, '-')}`, 'csv', csvOfSums(state, stats))
    } catch (error) {
      if (!this.#asking.signal.aborted) csv.textContent = 'CSV failed'
      if (!(error instanceof ApiError)) throw error
    } finally {
      csv.disabled = false
    }
  }
}

/**
 * @param {PageState} state
 * @param {number} moment
 * @param {number} limit
 * @param {AbortSignal} signal
 * @returns {Promise<Stats>}
 */
async function askSums(state, moment, limit, signal) {
  return await ask('v1/stats', sumsQuery(state, moment, limit), signal)
}

/**
 * Returns the sums of an answer, those with the largest costs or refunds first, and the others
 * last.
 *
 * @param {PageState} state
 * @param {Stats} stats
 * @returns {Sum[]}
 */
function sumsOf({ by, model }, stats) {
  // The server's groups of models ignore the filter by model: its sums are those of the whole.
  if (by === 'model' && model !== '') return [sumOf(model, model, stats, stats)]
  const section = SECTIONS[/** @type {keyof typeof SECTIONS} */ (by)] ?? 'labels'
  const sums = Object.entries(stats[section] ?? {}).map(([name, group]) => {
    const isNone = name === stats.unknown_group
    return sumOf(groupName(by, isNone ? null : name), isNone ? null : name, group, stats)
  })
  sums.sort((a, b) => Math.abs(b.cost ?? 0) - Math.abs(a.cost ?? 0) || b.requests - a.requests)
  const { other, other_groups: count = null } = stats
  return other === undefined ? sums : [...sums, sumOf(othersText(count), undefined, other, stats)]
}

/**
 * @param {string} name
 * @param {string | null | undefined} group
 * @param {StatsSection} section
 * @param {Pick<Stats, 'currency'>} stats
 * @returns {Sum}
 */
function sumOf(name, group, { counts, costs }, { currency = 'sats' }) {
  const { cost, unpriced } = costsOf({ counts, costs, currency })
  const isUnknown = counts.total > 0 && unpriced === counts.total
  return { name, group, cost: isUnknown ? null : cost, requests: counts.total, unpriced }
}

/**
 * @param {Sum} sum
 * @param {number | null} whole the cost of which shares are taken; null: there are none
 */
function cellsOf({ name, cost, requests, unpriced }, whole) {
  const share = shareOf(cost, whole)
  return [
    name,
    formatExactly(cost),
    share === null ? UNKNOWN : `${share.toFixed(2)} %`,
    formatCount(requests),
    formatCount(unpriced),
  ]
}

/**
 * @param {PageState} state
 * @param {Stats} stats
 */
function csvOfSums(state, stats) {
  const sums = sumsOf(state, stats)
  const whole = wholeOf(sums.map(({ cost }) => cost))
  // With `label:`, since a label may have the name of another column.
  const [kind, cost] = [state.by, `cost_${costsOf(stats).currency}`]
  const rows = sums.map((sum) => ({
    [kind]: sum.name,
    [cost]: sum.cost,
    share_percent: shareOf(sum.cost, whole),
    requests: sum.requests,
    unpriced: sum.unpriced,
  }))
  return csvOf([kind, cost, 'share_percent', 'requests', 'unpriced'], rows)
}

/**
 * Returns a percentage; null if it is unknown.
 *
 * @param {number | null} cost
 * @param {number | null} whole
 */
function shareOf(cost, whole) {
  return cost === null || whole === null ? null : (cost / whole) * 100
}
