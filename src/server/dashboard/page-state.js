import { isRange } from './time-window.js'

/**
 * All that the page shows, as its URL says it. Empty text: no filter.
 *
 * @typedef {object} PageState
 * @property {import('./time-window.js').Range} range ends now; doesn't count where `since` is set
 * @property {string | null} since a window of one's own, together with `until`
 * @property {string | null} until null: now
 * @property {string} model
 * @property {string} provider
 * @property {Record<string, string>} labels
 * @property {'model' | 'provider'} by what costs are stacked by
 * @property {'' | 'true' | 'false'} success of the list alone, as all that follows
 * @property {'' | 'true' | 'false'} streaming
 * @property {string} correlationId
 * @property {'timestamp' | 'cost_sats' | 'latency_ms'} sort
 * @property {'asc' | 'desc'} order
 * @property {number | null} request the request whose detail is open
 */

/** @type {Readonly<PageState>} */
export const DEFAULTS = Object.freeze({
  range: '24h',
  since: null,
  until: null,
  model: '',
  provider: '',
  labels: {},
  by: 'model',
  success: '',
  streaming: '',
  correlationId: '',
  sort: 'timestamp',
  order: 'desc',
  request: null,
})

const LABEL = 'label:'

/**
 * Reads a query string. What it doesn't understand counts as left out: a mistyped link still shows a page.
 *
 * @param {string} search
 * @returns {PageState}
 */
export function parseState(search) {
  const query = new URLSearchParams(search)
  const range = query.get('range')
  const since = timestampOf(query.get('since'))
  const request = Number(query.get('request') ?? Number.NaN)
  const labels = [...query].filter(([name]) => name.startsWith(LABEL) && name !== LABEL)
  return {
    range: isRange(range) ? range : DEFAULTS.range,
    since,
    until: since === null ? null : timestampOf(query.get('until')),
    model: query.get('model') ?? '',
    provider: query.get('provider') ?? '',
    labels: Object.fromEntries(labels.map(([name, value]) => [name.slice(LABEL.length), value])),
    by: oneOf(query.get('by'), ['model', 'provider']),
    success: oneOf(query.get('success'), ['', 'true', 'false']),
    streaming: oneOf(query.get('streaming'), ['', 'true', 'false']),
    correlationId: query.get('correlation_id') ?? '',
    sort: oneOf(query.get('sort'), ['timestamp', 'cost_sats', 'latency_ms']),
    order: oneOf(query.get('order'), ['desc', 'asc']),
    request: Number.isSafeInteger(request) ? request : null,
  }
}

/**
 * The query string of a state, `''` for the defaults: only what differs from them stands in the URL.
 *
 * @param {PageState} state
 */
export function formatState(state) {
  const query = new URLSearchParams()
  if (state.since !== null) {
    query.set('since', state.since)
    if (state.until !== null) query.set('until', state.until)
  } else if (state.range !== DEFAULTS.range) query.set('range', state.range)
  for (const name of /** @type {const} */ ([
    'model',
    'provider',
    'by',
    'success',
    'streaming',
    'sort',
    'order',
  ])) {
    if (state[name] !== DEFAULTS[name]) query.set(name, state[name])
  }
  for (const [name, value] of Object.entries(state.labels)) query.set(LABEL + name, value)
  if (state.correlationId !== '') query.set('correlation_id', state.correlationId)
  if (state.request !== null) query.set('request', String(state.request))
  // Colons and slashes are legal in a query string, and timestamps are read by people.
  const text = query.toString().replaceAll('%3A', ':').replaceAll('%2F', '/')
  return text === '' ? '' : `?${text}`
}

/** The state of the page: the URL keeps it, so that history, reload and a shared link all work. */
export class PageStore {
  /** @type {((state: PageState, before: PageState) => void)[]} */
  #listeners = []
  #state = parseState(location.search)
  #hasPushed = false

  constructor() {
    addEventListener('popstate', () => {
      this.#hasPushed = false
      this.#become(parseState(location.search))
    })
  }

  get state() {
    return this.#state
  }

  /** The state came by a push of this page: the entry before it in the history is this page too. */
  get hasPushed() {
    return this.#hasPushed
  }

  /** @param {(state: PageState, before: PageState) => void} listener called after each change */
  subscribe(listener) {
    this.#listeners.push(listener)
  }

  /**
   * @param {Partial<PageState>} change
   * @param {{ replace?: boolean }} [options] replace: no entry of its own in the history
   */
  update(change, { replace = false } = {}) {
    const next = { ...this.#state, ...change }
    const search = formatState(next)
    if (search === formatState(this.#state)) return
    const url = location.pathname + search
    if (replace) history.replaceState(null, '', url)
    else history.pushState(null, '', url)
    this.#hasPushed = !replace
    this.#become(next)
  }

  /** @param {PageState} next */
  #become(next) {
    const before = this.#state
    this.#state = next
    for (const listener of this.#listeners) listener(next, before)
  }
}

/**
 * @template {string} Choice
 * @param {string | null} text
 * @param {Choice[]} choices the first is the default
 * @returns {Choice}
 */
function oneOf(text, choices) {
  const [fallback] = choices
  return choices.find((choice) => choice === text) ?? /** @type {Choice} */ (fallback)
}

/**
 * @param {string | null} text
 * @returns {string | null} canonical
 */
function timestampOf(text) {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) ? null : new Date(ms).toISOString()
}
