import { ApiError, ask } from '../api/api.js'
import { serverNow, shownMoment } from '../api/clock.js'
import { pageQuery } from '../api/questions.js'
import { announce, byId, element } from '../page/dom.js'
import { formatCount } from '../page/format.js'
import { compareEntries } from './entry-order.js'
import { newcomersText } from './request-row.js'
import { RequestTable } from './request-table.js'

/** With more newcomers or rows the first page is read again, to keep the list quick to scroll. */
const MOST_NEWCOMERS = 200
const MOST_ROWS = 1000
const BURST_MS = 50
const MANY = 25
const AFTER_MANY_MS = 1000

/** The list of requests: pages by cursor, and newcomers, which wait while somebody reads it. */
export class RequestList {
  #older = byId('older', HTMLButtonElement)
  #newcomersButton = byId('newcomers', HTMLButtonElement)
  /** @type {Map<number, RequestEntry>} by id; the newest MOST_NEWCOMERS of them */
  #newcomers = new Map()
  #newcomerCount = 0
  /** @type {string | undefined} */
  #cursor
  #asking = new AbortController()
  /** @type {Promise<void>} */
  #loading = Promise.resolve()
  #isPaused = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #admission
  #admittedLast = 0
  /**
   * Whether rows between the newcomers and the table are missing, so that the first page must be
   * read again.
   */
  #hasGap = false
  /**
   * @type {string | null} the beginning of the window, as the server understood it; null if the
   *   server refused the question
   */
  #since = ''

  /**
   * @param {object} hooks
   * @param {PageStore} hooks.store
   * @param {(error: unknown) => void} hooks.onFailure
   * @param {() => void} hooks.onNewcomers called when their number has changed
   */
  constructor({ store, onFailure, onNewcomers }) {
    this.store = store
    this.onFailure = onFailure
    this.onNewcomers = onNewcomers
    this.table = new RequestTable({ store, onRest: () => this.#admitSoon() })
    this.#older.addEventListener('click', () => void this.loadOlder())
    this.#newcomersButton.addEventListener('click', () => this.#showNewcomers())
  }

  get newcomerCount() {
    return this.#newcomerCount
  }

  /** @param {boolean} isPaused whether newcomers wait until the pause ends */
  setPaused(isPaused) {
    this.#isPaused = isPaused
    if (!isPaused) this.#admit()
    this.#showCount()
  }

  /**
   * Shows the first page, or why it can't be shown. A later call cancels an earlier one.
   *
   * @param {PageState} state
   * @returns {Promise<void>}
   * @throws {ApiError}
   */
  load(state) {
    this.#asking.abort()
    this.#asking = new AbortController()
    this.#loading = this.#load(state, this.#asking.signal)
    return this.#loading
  }

  /**
   * @param {PageState} state
   * @param {AbortSignal} signal
   */
  async #load(state, signal) {
    this.table.setBusy(true)
    // From now on newcomers belong to this question: its answer may not have all of them.
    this.#forgetNewcomers()
    this.#since ??= ''
    try {
      const page = await this.#ask(state, 'start', shownMoment())
      this.#since = page.since
      this.#cursor = page.next_cursor
      this.table.setCurrency(page.currency ?? 'sats')
      this.table.show(page.data)
      this.#showEnd()
      this.#admitSoon()
    } catch (error) {
      if (!signal.aborted && error instanceof ApiError) this.#clear(error.message)
      throw error
    } finally {
      if (!signal.aborted) this.table.setBusy(false)
    }
  }

  /**
   * Clears the list, which was the answer to another question.
   *
   * @param {string} reason
   */
  #clear(reason) {
    this.#forgetNewcomers()
    this.#cursor = undefined
    this.#since = null
    byId('requests-count', HTMLElement).textContent = ''
    this.table.show([])
    this.#showEnd('The list can’t be shown', reason)
  }

  /** Appends the next page. */
  async loadOlder() {
    if (this.#cursor === undefined) return
    const hadFocus = document.activeElement === this.#older
    this.#older.disabled = true
    try {
      const page = await this.#ask(this.store.state, this.#cursor, shownMoment())
      this.#cursor = page.next_cursor
      const first = this.table.append(page.data)
      announce(`${formatCount(page.data.length)} older requests`)
      // The button moves down or disappears: keyboard users continue at the first new row.
      if (hadFocus) first?.focus({ preventScroll: true })
      this.#showEnd()
    } catch (error) {
      this.onFailure(error)
    } finally {
      this.#older.disabled = false
    }
  }

  /**
   * Asks for what the stream doesn't send: requests from before it was opened, those that no longer
   * match the window or the filters, and the ends of streams that began before it was opened.
   *
   * @throws {ApiError}
   */
  async catchUp() {
    // Without the first page, everything would count as new.
    const isThere = await this.#loading.then(
      () => true,
      () => false,
    )
    const { state } = this.store
    if (!isThere) return await this.load(state)
    const known = new Set(this.table.ids)
    const page = await this.#ask(state, 'start', serverNow())
    this.#since = page.since
    this.table.setCurrency(page.currency ?? 'sats')
    // If the page doesn't reach known rows, there may be others in between.
    const isNew = page.data.every(({ id }) => !this.table.has(id) && !this.#newcomers.has(id))
    if (isNew && page.next_cursor !== undefined) this.#hasGap = true
    for (const entry of page.data) this.add(entry)
    this.table.removeWhere((entry) => known.has(entry.id) && isGone(entry, page, state))
    this.#showEnd()
  }

  /**
   * @param {RequestEntry} entry a request that has just been projected
   * @returns {boolean} whether it is new and in the window, which ends now: its time may be later
   */
  add(entry) {
    if (this.table.has(entry.id) || this.#newcomers.has(entry.id)) {
      this.change(entry)
      return false
    }
    if (this.#since === null || entry.timestamp < this.#since || Date.parse(entry.timestamp) > serverNow())
      return false
    this.#newcomers.set(entry.id, entry)
    this.#newcomerCount++
    const [oldest] = this.#newcomers.keys()
    if (this.#newcomers.size > MOST_NEWCOMERS && oldest !== undefined) this.#newcomers.delete(oldest)
    this.#admitSoon()
    return true
  }

  /** @param {RequestEntry} entry a request that a completion has changed */
  change(entry) {
    if (this.#newcomers.has(entry.id)) this.#newcomers.set(entry.id, entry)
    else this.table.change(entry)
  }

  /**
   * @param {PageState} state
   * @param {string} cursor
   * @param {number} momentMs
   * @returns {Promise<RequestCursorPage>}
   */
  async #ask(state, cursor, momentMs) {
    return await ask('v1/requests', pageQuery(state, momentMs, cursor), this.#asking.signal)
  }

  /** Adds a burst of newcomers in one step, and waits longer after many: nobody reads faster. */
  #admitSoon() {
    this.#admission ??= setTimeout(
      () => {
        this.#admission = undefined
        this.#admitWhenIdle()
      },
      this.#admittedLast > MANY ? AFTER_MANY_MS : BURST_MS,
    )
  }

  #admitWhenIdle() {
    if (this.#newcomerCount > 0 && !this.#isPaused && !this.table.isBeingRead()) this.#admit()
    this.#showCount()
  }

  /** Turns newcomers into rows. */
  #admit() {
    if (this.#newcomerCount === 0) return
    const isTooMuch =
      this.#hasGap ||
      this.#newcomerCount > MOST_NEWCOMERS ||
      this.table.size + this.#newcomerCount > MOST_ROWS
    const { state } = this.store
    this.#admittedLast = this.#newcomerCount
    const entries = [...this.#newcomers.values()]
      .filter(({ id }) => !this.table.has(id))
      .sort((a, b) => compareEntries(a, b, state))
    this.#forgetNewcomers()
    if (isTooMuch) this.load(state).catch(this.onFailure)
    else {
      this.table.insert(entries)
      this.#showEnd()
    }
  }

  #showNewcomers() {
    this.#admit()
    this.#showCount()
    byId('requests', HTMLElement).scrollIntoView({ block: 'start' })
    this.table.focusFirst()
  }

  #forgetNewcomers() {
    this.#newcomers.clear()
    this.#newcomerCount = 0
    this.#hasGap = false
    this.#showCount()
  }

  #showCount() {
    const text = newcomersText(this.#newcomerCount)
    this.#newcomersButton.hidden = this.#newcomerCount === 0 || this.#isPaused
    if (this.#newcomersButton.textContent !== text) this.#newcomersButton.textContent = text
    this.onNewcomers()
  }

  /**
   * Shows what follows the last row: a button for more, or why there are no rows.
   *
   * @param {string} title
   * @param {string} text
   */
  #showEnd(title = 'No requests here', text = 'Nothing in this window matches. New ones will appear here.') {
    this.#older.hidden = this.#cursor === undefined
    const message = byId('rows-message', HTMLElement)
    message.hidden = this.table.size > 0
    message.replaceChildren(element('strong', '', title), element('span', '', text))
  }
}

/**
 * Whether a row no longer belongs in the list: it is before the window, or the first page should
 * have it but doesn't.
 *
 * @param {RequestEntry} entry
 * @param {RequestCursorPage} page
 * @param {PageState} state
 */
function isGone(entry, { data, next_cursor: next, since }, state) {
  if (entry.timestamp < since) return true
  const last = data.at(-1)
  const isCovered = next === undefined || (last !== undefined && compareEntries(entry, last, state) < 0)
  return isCovered && data.every(({ id }) => id !== entry.id)
}
