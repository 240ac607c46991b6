/**
 * The server's clock. Windows that end now are resolved by the page, so that all that it shows of one moment has the same
 * bounds; but "now" is the server's, which has written the timestamps, or lives beside those who have.
 */

/** How much later it is there than here, in milliseconds; null: not known yet. @type {number | null} */
let aheadMs = null
let shownMs = 0

/**
 * Learns from an answer what time it was there. Its `Date` has whole seconds only, so each answer gives a range; together
 * they narrow it down.
 *
 * @param {Response} response
 * @param {number} askedMs when it was asked, by our clock
 */
export function learnTime({ headers }, askedMs) {
  const date = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(date)) return
  const [least, most] = [date - Date.now(), date + 1000 - askedMs]
  aheadMs = Math.min(most, Math.max(least, aheadMs ?? most))
}

/** What time it is there, at most a second too late; by our own clock where no answer has said it. */
export function serverNow() {
  return Date.now() + (aheadMs ?? 0)
}

/** From here on the page shows this moment. */
export function takeMoment() {
  shownMs = serverNow()
}

/** The moment that figures, charts and list are of, in milliseconds since 1970. */
export function shownMoment() {
  return shownMs
}
