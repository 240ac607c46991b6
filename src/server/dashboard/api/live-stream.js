import { urlOf } from './api.js'
import { filterQuery } from './questions.js'

/** A closed stream is opened again after this time, which then doubles: browsers rarely retry. */
const FIRST_REOPEN_MS = 2000
const LAST_REOPEN_MS = 60_000

/** Receives new requests, through `GET /v1/stream`. */
export class LiveStream {
  /** @type {EventSource | null} */
  #source = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #reopen
  #reopenMs = FIRST_REOPEN_MS

  /**
   * @param {object} hooks
   * @param {() => void} hooks.onOpen from now on nothing is missed; older requests must be asked
   *   for
   * @param {() => void} hooks.onGap requests were left out
   * @param {() => void} hooks.onLost
   * @param {(entry: RequestEntry) => void} hooks.onRequest
   * @param {(entry: RequestEntry) => void} hooks.onCompleted the entry of a stream that has ended
   */
  constructor(hooks) {
    this.hooks = hooks
  }

  /**
   * Follows the requests that match the page's filters, instead of those of earlier filters.
   *
   * @param {PageState} state
   */
  follow(state) {
    this.stop()
    this.#reopenMs = FIRST_REOPEN_MS
    this.#open(filterQuery(state))
  }

  stop() {
    clearTimeout(this.#reopen)
    this.#source?.close()
    this.#source = null
  }

  /** @param {URLSearchParams} query */
  #open(query) {
    const source = new EventSource(urlOf('v1/stream', query))
    this.#source = source
    source.addEventListener('open', () => {
      this.#reopenMs = FIRST_REOPEN_MS
      this.hooks.onOpen()
    })
    source.addEventListener('request', ({ data }) => this.hooks.onRequest(JSON.parse(data)))
    source.addEventListener('completed', ({ data }) => this.hooks.onCompleted(JSON.parse(data)))
    source.addEventListener('lagged', () => this.hooks.onGap())
    source.addEventListener('error', () => {
      this.hooks.onLost()
      if (source.readyState !== EventSource.CLOSED) return
      this.#reopen = setTimeout(() => this.#open(query), this.#reopenMs)
      this.#reopenMs = Math.min(LAST_REOPEN_MS, this.#reopenMs * 2)
    })
  }
}
