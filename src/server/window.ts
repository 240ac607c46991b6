import { type EchoedWindow, exactEcho, exactSince, resolveWindow } from '../queries/index.js'

/** The parameters of a window, as a query string has them. */
export interface AskedWindow {
  since?: string | undefined
  range?: string | undefined
  until?: string | undefined
}

/**
 * A window that is exact although rows have milliseconds only, and how its answer names it: the same instants, with all
 * of their digits.
 *
 * @param now milliseconds since 1970.
 * @throws QueryError INVALID_SINCE, INVALID_RANGE, INVALID_UNTIL
 */
export function exactWindow(asked: AskedWindow, now: number): { bounds: EchoedWindow; echo: EchoedWindow } {
  const { since, until } = resolveWindow(asked, now)
  return {
    bounds: { since: asked.since === undefined ? since : exactSince(asked.since), until },
    echo: {
      since: asked.since === undefined ? since : exactEcho('since', asked.since),
      until: asked.until === undefined ? until : exactEcho('until', asked.until),
    },
  }
}
