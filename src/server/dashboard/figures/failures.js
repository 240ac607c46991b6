import { ask } from '../api/api.js'
import { shownMoment } from '../api/clock.js'
import { failuresQuery } from '../api/questions.js'
import { button, byId, element, setTitle } from '../page/dom.js'
import { formatCompact, formatCount, formatShare } from '../page/format.js'

/**
 * @typedef {import('../page/page-state.js').PageState} PageState
 * @typedef {import('../../../queries/index.js').Stats} Stats
 */

/**
 * The roll-ups have no statuses, so the server reads the rows of the window, about a million a
 * second. With more than this, failures are counted only when the user asks for it.
 */
const MOST_UNASKED = 1_000_000

/** The failures of the window by HTTP status, the most frequent status first. */
export class Failures {
  #card = byId('failures', HTMLElement)
  #list = element('ol', 'bars')
  /** Cancels a count that the user has asked for. A refresh cancels only the page's own counts. */
  #counting = new AbortController()

  /** @param {(status: string) => void} onStatus a status was chosen; `none`: those without one */
  constructor(onStatus) {
    this.onStatus = onStatus
    this.#card.append(this.#list)
    this.#card.setAttribute('aria-busy', 'true')
  }

  /**
   * @param {PageState} state
   * @param {Stats} stats of the window: without a failure there is no need to ask
   * @param {{ isOther: boolean, signal: AbortSignal }} options isOther: what is shown answers
   *   another question
   * @throws {import('../api/api.js').ApiError}
   */
  async load(state, stats, { isOther, signal }) {
    if (isOther) this.#counting.abort()
    const { total, error } = stats.counts
    if (error === 0) {
      const text = total === 0 ? 'No requests in this window' : 'No failures in this window'
      return this.#show(element('li', 'note', text))
    }
    if (total <= MOST_UNASKED) return await this.#ask(state, signal)
    // Counts that the user has asked for stay until the question changes.
    if (isOther) this.#offer(state, total)
  }

  /**
   * @param {PageState} state
   * @param {number} total
   */
  #offer(state, total) {
    this.#counting = new AbortController()
    const { signal } = this.#counting
    const count = button(`Count them among ${formatCompact(total)} requests`, () => {
      count.disabled = true
      this.#ask(state, signal).catch(() => signal.aborted || this.clear())
    })
    this.#show(element('li', 'note', count))
  }

  /**
   * @param {PageState} state
   * @param {AbortSignal} signal
   */
  async #ask(state, signal) {
    /** @type {Stats} */
    const { error_statuses: statuses = {}, other } = await ask(
      'v1/stats',
      failuresQuery(state, shownMoment()),
      signal,
    )
    const counts = Object.entries(statuses)
      .map(([status, { counts }]) => ({ status, count: counts.total }))
      .sort((a, b) => b.count - a.count)
    const rest = other === undefined ? [] : [{ status: null, count: other.counts.total }]
    const all = [...counts, ...rest]
    const total = all.reduce((sum, { count }) => sum + count, 0)
    const most = Math.max(...all.map(({ count }) => count))
    this.#show(...all.map(({ status, count }) => this.#row(status, count, { total, most })))
  }

  /** Shows that nothing is known. */
  clear() {
    this.#show(element('li', 'note', 'Not known'))
  }

  /** @param {...HTMLElement} rows */
  #show(...rows) {
    this.#card.setAttribute('aria-busy', 'false')
    this.#list.replaceChildren(...rows)
  }

  /**
   * @param {string | null} status null: all others
   * @param {number} count
   * @param {{ total: number, most: number }} scale
   */
  #row(status, count, { total, most }) {
    const name = status === null ? 'other' : status === 'none' ? 'no status' : status
    const label =
      status === null
        ? element('span', 'name muted', name)
        : button(name, () => this.onStatus(status), 'name')
    const bar = element('span', 'bar-line')
    bar.style.width = `${(count / most) * 100}%`
    const value = element('span', 'value', formatCompact(count))
    setTitle(value, formatCount(count))
    return element(
      'li',
      '',
      label,
      element('span', 'bar-frame', bar),
      value,
      element('span', 'share', formatShare(count, total)),
    )
  }
}
