import { element } from '../page/dom.js'
import { formatClock, formatCost, formatCount, formatDay, formatMs, UNKNOWN } from '../page/format.js'

/**
 * @typedef {object} Column
 * @property {string} key its name in the page's address
 * @property {string} title
 * @property {string} className
 * @property {'timestamp' | 'cost_sats' | 'cost_usd' | 'latency_ms'} [sort]
 * @property {(entry: RequestEntry) => (string | Node)[]} cells
 * @property {string} [unit] shown on a phone, where the table has no head
 * @property {(entry: RequestEntry) => boolean} [isKnown] whether an entry has a value for it; only
 *   for columns that may be left out
 */

const LABEL = 'label:'
/** How many labels have a column if the user hasn't chosen any, and the page isn't about more. */
const MOST_LABELS = 2
/** The value in the page's address for no column that may be left out. */
const NONE = 'none'

/**
 * Returns all columns that there are, in order.
 *
 * @param {Currency} currency
 * @param {readonly string[]} labels
 * @returns {Column[]}
 */
function allColumns(currency, labels) {
  const isUsd = currency === 'usd'
  return [
    { key: 'time', title: 'Time', className: 'time', sort: 'timestamp', cells: timeCell },
    { key: 'model', title: 'Model', className: 'name', cells: ({ model }) => [model] },
    optional('provider', 'Provider', 'name provider', ({ provider }) => provider),
    optional('policy', 'Policy', 'name extra', ({ policy }) => policy),
    ...labels.map((label) => optional(LABEL + label, label, 'name extra', ({ labels }) => labels?.[label])),
    optional('input_tokens', 'Tokens in', 'number tokens-in', ({ tokens }) => tokens.input),
    {
      ...optional('output_tokens', 'Tokens out', 'number tokens-out', ({ tokens }) => tokens.output),
      unit: 'tokens out',
    },
    {
      key: 'cost',
      title: isUsd ? 'Cost' : 'Sats',
      className: 'number cost',
      sort: `cost_${currency}`,
      cells: ({ cost }) => [formatCost(cost[currency], currency)],
      ...(isUsd ? {} : { unit: 'sats' }),
    },
    {
      key: 'latency',
      title: 'Latency',
      className: 'number latency',
      sort: 'latency_ms',
      cells: ({ timing }) => [formatMs(timing.latency_ms)],
    },
    { key: 'outcome', title: 'Outcome', className: 'outcome', cells: outcomeCell },
  ]
}

/**
 * A column that may be left out.
 *
 * @param {string} key
 * @param {string} title
 * @param {string} className
 * @param {(entry: RequestEntry) => string | number | null | undefined} read
 * @returns {Column}
 */
function optional(key, title, className, read) {
  const shown = (/** @type {ReturnType<typeof read>} */ value) =>
    typeof value === 'number' ? formatCount(value) : (value ?? UNKNOWN)
  return {
    key,
    title,
    className,
    cells: (entry) => [shown(read(entry))],
    isKnown: (entry) => read(entry) != null,
  }
}

/**
 * Returns the columns of a list: those that were chosen, or else those for which an entry has a
 * value. The labels that the page is about come before others.
 *
 * @param {Pick<PageState, 'columns' | 'by' | 'labels'>} state
 * @param {Currency} currency
 * @param {readonly RequestEntry[]} entries if there are none yet, the usual columns are returned
 * @returns {{ shown: Column[], offered: { key: string, title: string, isShown: boolean }[] }}
 */
export function columnsFor({ columns: chosen, by, labels: filters }, currency, entries) {
  const names = entries.flatMap(({ labels }) => Object.keys(labels ?? {}))
  const wanted = chosen === '' || chosen === NONE ? [] : chosen.split(',').map(decoded)
  const asked = wanted.filter((key) => key.startsWith(LABEL)).map((key) => key.slice(LABEL.length))
  const about = [
    ...(by.startsWith(LABEL) ? [by.slice(LABEL.length)] : by === 'tier' ? [by] : []),
    ...Object.keys(filters),
  ]
  const labels = [...new Set([...about, ...[...names, ...asked].sort()])]
  const all = allColumns(currency, labels)
  // A label with the same value in all entries isn't worth a column.
  const isUseful = (/** @type {string} */ label) =>
    about.includes(label) || new Set(entries.map(({ labels }) => labels?.[label])).size > 1
  const most = Math.max(MOST_LABELS, new Set(about).size)
  const needed = labels.filter(isUseful).slice(0, most)
  const isNeeded = (/** @type {Column} */ { key, isKnown }) =>
    key.startsWith(LABEL)
      ? needed.includes(key.slice(LABEL.length))
      : entries.length === 0
        ? key !== 'policy'
        : entries.some((entry) => isKnown?.(entry))
  const isShown = (/** @type {Column} */ column) =>
    column.isKnown === undefined || (chosen === '' ? isNeeded(column) : wanted.includes(column.key))
  const offered = all
    .filter(({ isKnown }) => isKnown !== undefined)
    .map((column) => ({ key: column.key, title: column.title, isShown: isShown(column) }))
  return { shown: all.filter(isShown), offered }
}

/**
 * Formats the chosen columns for the page's address.
 *
 * @param {readonly string[]} keys
 */
export function formatColumns(keys) {
  return keys.length === 0 ? NONE : keys.map(encodeURIComponent).join(',')
}

/** @param {string} key if it isn't a valid encoding, it stays as it is and matches no column */
function decoded(key) {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/** @param {RequestEntry} entry */
function timeCell({ timestamp }) {
  return [element('span', 'date', `${formatDay(timestamp)} `), formatClock(timestamp)]
}

/**
 * How a request ended, in badges and the words of its error.
 *
 * @param {RequestEntry} entry
 */
function outcomeCell({ success, streaming, error, timing, state, tokens, attempt = null }) {
  /** @type {(string | Node)[]} */
  const parts = []
  if (!success)
    parts.push(element('span', 'badge is-bad', error?.status == null ? 'failed' : `failed ${error.status}`))
  else if (error?.status != null) parts.push(element('span', 'badge', String(error.status)))
  if (state === 'open') parts.push(element('span', 'badge is-open', 'open stream'))
  else if (state === 'unfinished') parts.push(element('span', 'badge is-warned', 'unfinished stream'))
  else if (streaming) {
    const duration = timing.stream_duration_ms
    parts.push(element('span', 'badge', duration === undefined ? 'stream' : `stream ${formatMs(duration)}`))
  }
  if (attempt !== null && attempt > 0) parts.push(element('span', 'badge', `retry ${attempt}`))
  const hasEnded = state !== 'open' && state !== 'unfinished'
  if (streaming && success && hasEnded && tokens.input === null && tokens.output === null) {
    const mark = element('span', 'badge is-warned', 'tokens unknown')
    mark.title = 'Its tokens weren’t logged, so its cost can’t be computed with a price'
    parts.push(mark)
  }
  if (error?.message != null) parts.push(element('span', 'why', error.message))
  const isOk = success && hasEnded && error?.status == null
  return isOk ? [element('span', 'why', 'ok'), ' ', ...parts] : parts
}
