/** @typedef {'1h' | '24h' | '7d' | '30d'} Range a window that ends now */

/** How long each range is, and what the window before it is called. */
export const RANGES = /** @type {const} */ ({
  '1h': { ms: 3_600_000, before: 'the hour before' },
  '24h': { ms: 86_400_000, before: 'the 24 h before' },
  '7d': { ms: 7 * 86_400_000, before: 'the 7 days before' },
  '30d': { ms: 30 * 86_400_000, before: 'the 30 days before' },
})

/**
 * @param {unknown} text
 * @returns {text is Range}
 */
export function isRange(text) {
  return typeof text === 'string' && Object.hasOwn(RANGES, text)
}

/**
 * The window of the same length that ends just before this one: both ends of a window are inclusive.
 *
 * @param {{ since: string, until: string }} window
 * @returns {{ since: string, until: string }}
 */
export function windowBefore({ since, until }) {
  const start = Date.parse(since)
  const end = Date.parse(until)
  return { since: new Date(start - (end - start)).toISOString(), until: new Date(start - 1).toISOString() }
}

/**
 * What the window before is called.
 *
 * @param {{ range: Range, since: string | null }} window
 */
export function beforeName({ range, since }) {
  return since === null ? RANGES[range].before : 'the same time before'
}

/**
 * What `<input type="datetime-local">` holds, read as UTC; null where it is no time.
 *
 * @param {string} local
 */
export function fromInput(local) {
  const ms = Date.parse(`${local}Z`)
  return Number.isNaN(ms) ? null : new Date(ms).toISOString()
}

/**
 * What `<input type="datetime-local">` takes, in UTC.
 *
 * @param {string} timestamp
 */
export function toInput(timestamp) {
  const ms = Date.parse(timestamp)
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, 19)
}

/**
 * How often the figures of a window are asked for again, in milliseconds; null for one that lies in the past.
 *
 * @param {{ range: Range, until: string | null }} window
 * @param {number} nowMs
 */
export function refreshEveryMs({ range, until }, nowMs) {
  if (until !== null) return Date.parse(until) < nowMs ? null : 30_000
  return range === '1h' ? 10_000 : range === '24h' ? 15_000 : 60_000
}
