import { type EchoedWindow, resolveWindow } from '../queries/index.js'

/** The parameters of a window, as a query string has them. */
export interface AskedWindow {
  since?: string | undefined
  range?: string | undefined
  until?: string | undefined
}

/** Digits of a second that are finer than what rows have, unless all of them are zero. */
const FINE_DIGITS = /\.\d{3}(\d*[1-9])/

/**
 * A window that is exact although rows have milliseconds only, and how its answer names it: the same instants, with all
 * of their digits.
 *
 * @param now milliseconds since 1970.
 * @throws QueryError INVALID_SINCE, INVALID_RANGE, INVALID_UNTIL
 */
export function exactWindow(asked: AskedWindow, now: number): { bounds: EchoedWindow; echo: EchoedWindow } {
  // What is finer is cut here.
  const { since, until } = resolveWindow(asked, now)
  const fineSince = fineDigits(asked.since)
  return {
    // What begins within a millisecond doesn't have the rows of that millisecond.
    bounds: { since: fineSince === '' ? since : nextMillisecond(since), until },
    echo: { since: withFineDigits(since, fineSince), until: withFineDigits(until, fineDigits(asked.until)) },
  }
}

function fineDigits(text: string | undefined): string {
  // A leap second counts as the last millisecond before it, whatever its digits.
  return text === undefined || /:60\./.test(text) ? '' : (FINE_DIGITS.exec(text)?.[1] ?? '')
}

function withFineDigits(timestamp: string, digits: string): string {
  return digits === '' ? timestamp : `${timestamp.slice(0, -1)}${digits}Z`
}

function nextMillisecond(timestamp: string): string {
  const next = new Date(Date.parse(timestamp) + 1).toISOString()
  // The year 10000 has no canonical form, and no rows.
  return next.length === timestamp.length ? next : timestamp
}
