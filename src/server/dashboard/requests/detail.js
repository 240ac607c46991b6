import { ApiError, ask } from '../api/api.js'
import { button, byId, copyButton, element, setLabel, setTitle } from '../page/dom.js'
import { formatClock, formatDay, formatMs } from '../page/format.js'
import { zoneName } from '../page/zone.js'
import { costSection } from './cost-section.js'
import { facts, known, lineSection, optional, placesOf, tokenText } from './facts.js'

/** @typedef {import('./facts.js').Fact} Fact */

/** @type {Record<string, string>} */
const STREAM_STATES = {
  open: 'yes, and its end isn’t known yet',
  unfinished: 'yes, but its end was never logged',
}

/** A drawer with one request: its columns, its place in the journal, and the journal's own line. */
export class Detail {
  #dialog = byId('detail', HTMLDialogElement)
  #title = element('h2')
  #badge = element('span', 'badge')
  #body = element('div', 'detail-body')
  #newer = iconButton('↑', 'The request above', () => this.step(-1))
  #older = iconButton('↓', 'The request below', () => this.step(1))
  /** @type {number | null} */
  #id = null
  #asking = new AbortController()
  /** Whether this page opened the drawer, so that going back in the history closes it. */
  #isOurEntry = false

  /**
   * @param {object} hooks
   * @param {PageStore} hooks.store
   * @param {() => number[]} hooks.neighbours ids in the order of the list
   * @param {(id: number) => void} hooks.onClosed
   */
  constructor({ store, neighbours, onClosed }) {
    this.store = store
    this.neighbours = neighbours
    this.onClosed = onClosed
    this.#title.id = 'detail-title'
    const head = element('header', 'detail-head', this.#title, this.#badge, this.#newer, this.#older)
    head.append(iconButton('✕', 'Close', () => this.#leave()))
    this.#dialog.append(head, this.#body)
    this.#dialog.addEventListener('cancel', (event) => {
      event.preventDefault()
      this.#leave()
    })
    this.#dialog.addEventListener('click', ({ target }) => {
      if (target === this.#dialog) this.#leave()
    })
  }

  /**
   * Opens, changes or closes the drawer, as the URL says.
   *
   * @param {number | null} id
   * @param {number | null} before the id in the previous URL
   */
  show(id, before) {
    if (id === this.#id) return
    this.#asking.abort()
    this.#isOurEntry = id !== null && (before === null ? this.store.hasPushed : this.#isOurEntry)
    const closed = this.#id
    this.#id = id
    if (id === null) {
      this.#dialog.close()
      if (closed !== null) this.onClosed(closed)
      return
    }
    if (!this.#dialog.open) this.#dialog.showModal()
    void this.#load(id)
  }

  /** @param {number} id */
  async #load(id) {
    this.#asking = new AbortController()
    const { signal } = this.#asking
    this.#title.textContent = `Request ${id}`
    this.#showBadge('')
    this.#showNeighbours(id)
    this.#body.setAttribute('aria-busy', 'true')
    try {
      this.#fill(/** @type {RequestDetail} */ (await ask(`v1/requests/${id}`, undefined, signal)))
    } catch (error) {
      if (signal.aborted) return
      const text = error instanceof ApiError ? error.message : String(error)
      const title = element('strong', '', 'This request can’t be shown.')
      this.#body.replaceChildren(element('div', 'banner is-bad', title, element('span', '', text)))
    } finally {
      if (!signal.aborted) this.#body.setAttribute('aria-busy', 'false')
    }
    this.#body.scrollTop = 0
  }

  /** @param {RequestDetail} request */
  #fill(request) {
    if (request.state === 'open') this.#showBadge('open', 'is-open')
    else if (request.state === 'unfinished') this.#showBadge('unfinished', 'is-warned')
    else this.#showBadge(request.success ? 'succeeded' : 'failed', request.success ? '' : 'is-bad')
    this.#body.replaceChildren(
      facts('', this.#factsOf(request)),
      costSection(request),
      facts('Labels', Object.entries(request.labels ?? {})),
      facts('Place in the journal', placesOf(request)),
      ...lineSection('Journal line', request.line),
      ...lineSection('Its stream_completed', request.completed_line),
    )
  }

  /**
   * @param {RequestDetail} request
   * @returns {[string, Fact][]}
   */
  #factsOf(request) {
    const { tokens, timing, error, timestamp } = request
    /** @type {[string, Fact][]} */
    const failure = [
      ['Error status', error === undefined ? null : known(error.status, String)],
      ['Error message', error?.message ?? null],
    ]
    /** @type {[string, Fact][]} */
    const speed = request.streaming
      ? [
          ['First byte after', formatMs(timing.latency_ms)],
          ['Stream ran for', known(timing.stream_duration_ms ?? null, formatMs)],
        ]
      : [['Latency', formatMs(timing.latency_ms)]]
    return [
      ['Time', `${formatDay(timestamp)} ${formatClock(timestamp)}${timestamp.slice(19, -1)} ${zoneName()}`],
      ...(error === undefined ? [] : failure),
      ['Model', request.model],
      ...optional('Answered by', request.response_model),
      ['Provider', this.#named('provider', request.provider ?? null)],
      ...optional('Service tier', request.service_tier),
      ['Policy', this.#named('policy', request.policy)],
      ['Correlation id', this.#correlation(request.correlation_id)],
      ['Attempt', known(request.attempt, String)],
      ['Streaming', STREAM_STATES[request.state ?? 'finished'] ?? (request.streaming ? 'yes' : 'no')],
      ...speed,
      ['Tokens in', tokenText(tokens, 'input')],
      ['Tokens out', tokenText(tokens, 'output')],
    ]
  }

  /**
   * A name, or `none`, with a button that finds all requests with the same name.
   *
   * @param {'provider' | 'policy'} dimension
   * @param {string | null} name
   */
  #named(dimension, name) {
    const change =
      name === null
        ? { [dimension]: '', [`without_${dimension}`]: 'true' }
        : { [dimension]: name, [`without_${dimension}`]: '' }
    return element(
      'span',
      '',
      element('span', name === null ? 'muted' : '', name ?? 'none'),
      button('Find all', () => this.store.update({ ...change, request: null })),
    )
  }

  /** @param {string} id */
  #correlation(id) {
    const code = element('code', '', id)
    const find = button('Find all', () => this.store.update({ correlation_id: id, request: null }))
    return element('span', '', code, copyButton(code, id), find)
  }

  /**
   * @param {string} text
   * @param {'' | 'is-bad' | 'is-open' | 'is-warned'} [tone]
   */
  #showBadge(text, tone = '') {
    this.#badge.textContent = text
    this.#badge.className = `badge ${tone}`
  }

  /** @param {number} id */
  #showNeighbours(id) {
    const ids = this.neighbours()
    const index = ids.indexOf(id)
    this.#newer.disabled = index <= 0
    this.#older.disabled = index === -1 || index === ids.length - 1
  }

  /**
   * Opens a neighbour of the open request.
   *
   * @param {number} rows how many rows down the list
   */
  step(rows) {
    if (this.#id === null) return
    const ids = this.neighbours()
    const next = ids[ids.indexOf(this.#id) + rows]
    if (next !== undefined) this.store.update({ request: next }, { replace: true })
  }

  #leave() {
    if (this.#isOurEntry) history.back()
    else this.store.update({ request: null }, { replace: true })
  }
}

/**
 * @param {string} icon
 * @param {string} name
 * @param {() => void} onClick
 */
function iconButton(icon, name, onClick) {
  const made = button(icon, onClick, 'icon-button')
  setLabel(made, name)
  setTitle(made, name)
  return made
}
