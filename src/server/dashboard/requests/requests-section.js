import { LiveStream } from '../api/live-stream.js'
import { byId } from '../page/dom.js'
import { formatCount } from '../page/format.js'
import { endsNow } from '../page/time-window.js'
import { RequestList } from './request-list.js'
import { newcomersText } from './request-row.js'

/**
 * @typedef {'live' | 'connecting' | 'paused' | 'off'} LiveState off: no new request can appear in
 *   this list
 */

const LIVE_TEXTS = {
  live: 'Live',
  connecting: 'Connecting …',
  paused: 'Paused',
  off: 'Not live',
}

/** The list with its live button. */
export class RequestsSection {
  #live = byId('live', HTMLButtonElement)
  /** @type {LiveState} */
  #liveState = 'connecting'
  #isPaused = false

  /**
   * @param {object} hooks
   * @param {PageStore} hooks.store
   * @param {(error: unknown) => void} hooks.onFailure
   * @param {() => void} hooks.onAdded called when there is a new request, or one has changed
   * @param {(names: string[]) => void} hooks.onLabels called with the labels of the listed requests
   */
  constructor({ store, onFailure, onAdded, onLabels }) {
    this.store = store
    this.onFailure = onFailure
    this.onLabels = onLabels
    this.list = new RequestList({ store, onFailure, onNewcomers: () => this.#showLive() })
    this.stream = new LiveStream({
      onOpen: () => {
        this.#setLive('live')
        void this.#catchUp()
      },
      onGap: () => void this.#catchUp(),
      onLost: () => this.#setLive('connecting'),
      onRequest: (entry) => {
        if (this.list.add(entry)) onAdded()
      },
      onCompleted: (entry) => {
        this.list.change(entry)
        onAdded()
      },
    })
    this.#live.addEventListener('click', () => this.togglePause())
    document.addEventListener('visibilitychange', () => this.#followWhileVisible())
  }

  /**
   * @param {PageState} state
   * @throws {import('../api/api.js').ApiError}
   */
  async load(state) {
    // A window that has ended, or another order than newest first, gets no new rows at its top.
    const isOpen = endsNow(state) && state.sort === 'timestamp' && state.order === 'desc'
    this.#setLive(isOpen ? 'connecting' : 'off')
    this.#followWhileVisible()
    await this.list.load(state)
    this.onLabels(this.list.table.labels)
  }

  /**
   * Shows how many rows the list has. Each row is one attempt.
   *
   * @param {Stats} stats of the page's window and filters
   */
  showTotal({ counts: { total, retries = 0 } }) {
    const words = retries === 1 ? 'retry' : 'retries'
    const attempts = total === 1 ? 'attempt' : 'attempts'
    const ofThem = retries === 0 ? '' : ` ${attempts}, ${formatCount(retries)} ${words}`
    byId('requests-count', HTMLElement).textContent = formatCount(total) + ofThem
  }

  /** Follows the stream while the page is visible: all pages share a browser's six connections. */
  #followWhileVisible() {
    this.stream.stop()
    if (this.#liveState === 'off' || document.visibilityState !== 'visible') return
    this.#setLive('connecting')
    this.stream.follow(this.store.state)
  }

  async #catchUp() {
    try {
      await this.list.catchUp()
    } catch (error) {
      this.onFailure(error)
    }
  }

  /** Pauses or resumes the list, if it is live. */
  togglePause() {
    if (this.#liveState === 'off') return
    this.#isPaused = !this.#isPaused
    this.list.setPaused(this.#isPaused)
    this.#showLive()
  }

  /** @param {LiveState} state */
  #setLive(state) {
    this.#liveState = state
    this.#showLive()
  }

  #showLive() {
    const state = this.#isPaused && this.#liveState !== 'off' ? 'paused' : this.#liveState
    const waiting = this.list?.newcomerCount ?? 0
    byId('live-state', HTMLElement).dataset['state'] = state
    setText(byId('live-text', HTMLElement), LIVE_TEXTS[state])
    byId('live-state', HTMLElement).title =
      state === 'off' ? 'The list is live only if its window ends now and the newest come first' : ''
    this.#live.hidden = state === 'off'
    setText(
      this.#live,
      state !== 'paused' ? 'Pause' : waiting === 0 ? 'Resume' : `Show ${newcomersText(waiting)}`,
    )
  }
}

/**
 * Sets a text only if it differs: a live region is read out whenever it is written to, even with
 * the same words.
 *
 * @param {HTMLElement} target
 * @param {string} text
 */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}
