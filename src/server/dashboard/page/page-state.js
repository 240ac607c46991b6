import { remembered } from './memory.js'
import { isDated, presetOf } from './time-window.js'
import { showZone } from './zone.js'

/**
 * Everything that decides what the page shows, as in its URL. An empty text is no filter. Texts are
 * kept as they were typed: the server checks them, and the page shows its message.
 *
 * @typedef {object} Shown
 * @property {string} timezone whose times are shown; empty: UTC
 * @property {string} currency `sats` or `usd`; empty: the one in which the window has costs
 * @property {string} by what costs are grouped by: `model`, `provider`, `label:team`, …
 * @property {Record<string, string>} labels
 * @property {string} columns keys of the list's columns, see requests/columns.js; empty: as needed
 * @property {string} sort
 * @property {string} order
 * @property {number | null} request the id of the request whose detail is open
 * @property {readonly string[]} notUnderstood the rest of the URL, such as `modle=gpt-4o`
 *
 * @typedef {Record<typeof FILTERS[number], string>} FilterState
 * @typedef {WindowState & FilterState & Shown} PageState
 */

/** The filters, by the server's names. All of them apply to the whole page. */
export const FILTERS = /** @type {const} */ ([
  'model',
  'provider',
  'policy',
  'without_provider',
  'without_policy',
  'without_label',
  'journal',
  'success',
  'streaming',
  'open',
  'unfinished',
  'correlation_id',
  'error_status',
  'error_message',
  'min_latency',
  'min_cost',
  'unpriced',
  'attempt',
  'service_tier',
])

/** The filters that apply to all attempts of a request alike, as its labels do. */
const OF_WHOLE_REQUESTS = /** @type {readonly string[]} */ ([
  'policy',
  'without_policy',
  'without_label',
  'journal',
  'streaming',
  'correlation_id',
])

/** No filter at all. */
export const NO_FILTERS = Object.freeze({
  ...Object.fromEntries(
    /** @type {[typeof FILTERS[number], string][]} */ (FILTERS.map((name) => [name, ''])),
  ),
  labels: {},
})

/** @type {Readonly<PageState>} */
export const DEFAULTS = Object.freeze({
  range: '24h',
  since: null,
  until: null,
  before: null,
  .../** @type {FilterState} */ (/** @type {unknown} */ (NO_FILTERS)),
  labels: {},
  timezone: '',
  currency: '',
  by: 'model',
  columns: '',
  sort: 'timestamp',
  order: 'desc',
  request: null,
  notUnderstood: [],
})

const TEXTS = /** @type {const} */ ([
  'range',
  'since',
  'until',
  'before',
  ...FILTERS,
  'timezone',
  'currency',
  'by',
  'columns',
  'sort',
  'order',
])
const LABEL = 'label:'
const ID = /^[1-9]\d{0,15}$/

/**
 * Parses a query string. If it has no zone, the zone is the one that was chosen last.
 *
 * @param {string} search
 * @returns {PageState}
 */
export function parseState(search) {
  /** @type {Record<string, string>} */
  const texts = {}
  /** @type {[string, string][]} */
  const labels = []
  /** @type {string[]} */
  const notUnderstood = []
  const seen = new Set()
  /** @type {number | null} */
  let request = null
  for (const [given, value] of new URLSearchParams(search)) {
    // The API's name for the same parameter.
    const name = given === 'group_by' ? 'by' : given
    if (seen.has(name)) notUnderstood.push(`${name}=${value}, which is given twice`)
    else if (TEXTS.some((text) => text === name)) texts[name] = value
    else if (name.startsWith(LABEL) && name !== LABEL) labels.push([name.slice(LABEL.length), value])
    else if (name === 'request' && ID.test(value)) request = Number(value)
    else notUnderstood.push(`${name}=${value}`)
    seen.add(name)
  }
  const { timezone = remembered('timezone') ?? '' } = texts
  return {
    ...DEFAULTS,
    ...texts,
    ...(texts['range'] === undefined ? {} : { range: presetOf(texts['range']) }),
    ...datedWindow(texts),
    // A link may name UTC, so that the choice of another browser doesn't apply.
    timezone: timezone === 'UTC' ? '' : timezone,
    labels: Object.fromEntries(labels),
    request,
    notUnderstood,
  }
}

/**
 * Whether the filters may take some attempts of a request and leave out others, such as those that
 * went to another provider.
 *
 * @param {FilterState} state
 */
export function separatesAttempts(state) {
  return FILTERS.some((name) => state[name] !== '' && !OF_WHOLE_REQUESTS.includes(name))
}

/**
 * Replaces a `range` that is the date of a year, month or day by bounds, so that the form shows
 * them.
 *
 * @param {Record<string, string>} texts
 */
function datedWindow({ range = '', since, until, before }) {
  if (since !== undefined || !isDated(range)) return {}
  const end = until === undefined && before === undefined ? { until: range } : {}
  return { range: DEFAULTS.range, since: range, ...end }
}

/**
 * Formats a state as a query string. It has only what differs from the defaults.
 *
 * @param {PageState} state
 */
export function formatState(state) {
  const query = new URLSearchParams()
  const { range, since, until, before } = state
  // A year, month or day by its date is a range, as it is for the API.
  const isDate = since !== null && since === until && before === null && isDated(since)
  const named = isDate && range === DEFAULTS.range ? { range: since, since: null, until: null } : {}
  const texts = { ...state, ...named }
  for (const name of TEXTS) {
    const value = texts[name]
    if (value !== null && value !== DEFAULTS[name]) query.set(name, value)
  }
  for (const [name, value] of Object.entries(state.labels)) query.set(LABEL + name, value)
  if (state.request !== null) query.set('request', String(state.request))
  // Colons and slashes are legal in a query string, and people read timestamps.
  const text = query.toString().replaceAll('%3A', ':').replaceAll('%2F', '/')
  return text === '' ? '' : `?${text}`
}

/** @param {PageState} state */
export function isFiltered(state) {
  return FILTERS.some((name) => state[name] !== '') || Object.keys(state.labels).length > 0
}

/** Keeps the state of the page in its URL, so that history, reload and a shared link all work. */
export class PageStore {
  /** @type {((state: PageState, before: PageState) => void)[]} */
  #listeners = []
  #state = parseState(location.search)
  #hasPushed = false

  constructor() {
    showZone(this.#state.timezone)
    addEventListener('popstate', () => {
      this.#hasPushed = false
      this.#become(parseState(location.search))
    })
  }

  get state() {
    return this.#state
  }

  /**
   * Whether this page pushed the state, so that the previous entry of the history is this page too.
   */
  get hasPushed() {
    return this.#hasPushed
  }

  /** @param {(state: PageState, before: PageState) => void} listener called after each change */
  subscribe(listener) {
    this.#listeners.push(listener)
  }

  /**
   * @param {Partial<PageState>} change
   * @param {{ replace?: boolean }} [options] replace: adds no entry to the history
   */
  update(change, { replace = false } = {}) {
    const next = { ...this.#state, ...change, notUnderstood: [] }
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
    showZone(next.timezone)
    for (const listener of this.#listeners) listener(next, before)
  }
}
