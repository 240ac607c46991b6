import { ask } from '../api/api.js'
import { shownMoment } from '../api/clock.js'
import { failuresQuery } from '../api/questions.js'
import { button, byId, element, setTitle } from '../page/dom.js'
import { formatCompact, formatCount, formatShare } from '../page/format.js'
import { othersText } from '../page/groups.js'

/**
 * The roll-ups have no statuses, so the server reads the rows of the window, about a million a
 * second. With more than this, failures are counted only when the user asks for it.
 */
const MOST_UNASKED = 1_000_000
/** How many rows there are. The last one adds up all other statuses, if there are several. */
const MOST_ROWS = 8

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
    const {
      error_statuses: statuses = {},
      other,
      other_groups: left,
    } = await ask('v1/stats', failuresQuery(state, shownMoment()), signal)
    const counts = Object.entries(statuses)
      .map(([status, { counts }]) => ({ status, count: counts.total }))
      .sort((a, b) => b.count - a.count)
    const total = [...counts, ...(other === undefined ? [] : [{ count: other.counts.total }])].reduce(
      (sum, { count }) => sum + count,
      0,
    )
    const shown = counts.slice(0, counts.length > MOST_ROWS ? MOST_ROWS - 1 : MOST_ROWS)
    const rest = shown.reduce((left, { count }) => left - count, total)
    const most = Math.max(rest, ...shown.map(({ count }) => count))
    const rows = shown.map(({ status, count }) => this.#row(status, count, { total, most }))
    const others = left === null ? null : counts.length - shown.length + (left ?? 0)
    if (rest > 0) rows.push(this.#row(null, rest, { total, most }, othersText(others)))
    this.#show(...rows)
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
   * @param {string} [name]
   */
  #row(status, count, { total, most }, name = status === 'none' ? 'no status' : (status ?? '')) {
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
