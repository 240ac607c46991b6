/**
 * The server's clock. The page itself resolves windows that end now, so that everything that it
 * shows has the same bounds. But "now" must be the server's time: the timestamps were written on
 * its host, or near it.
 */

/**
 * How far the server's clock is ahead of ours, in milliseconds; null if it isn't known yet.
 * @type {number | null}
 */
let aheadMs = null
let shownMs = 0

/**
 * Learns the server's time from an answer. `Date` has whole seconds only, so each answer gives a
 * range; together they narrow it down.
 *
 * @param {Response} response
 * @param {number} askedMs when the question was sent, by our clock
 */
export function learnTime({ headers }, askedMs) {
  const date = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(date)) return
  const [least, most] = [date - Date.now(), date + 1000 - askedMs]
  aheadMs = Math.min(most, Math.max(least, aheadMs ?? most))
}

/**
 * Returns the server's time, at most a second late; our own clock's time before the first answer.
 */
export function serverNow() {
  return Date.now() + (aheadMs ?? 0)
}

/** Makes this moment the one that the page shows. */
export function takeMoment() {
  shownMs = serverNow()
}

/** Returns the moment that figures, charts and list show, in milliseconds since 1970. */
export function shownMoment() {
  return shownMs
}
