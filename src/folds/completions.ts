import type { PlacedCompletion } from '../events/placed.js'
import type { KnownRequest } from './changes.js'
import type { StoredRequest } from './request-types.js'

/**
 * Finds the request that a completion changes, by the rules of journal/README.md: the newest one
 * with the attempt that it names; if it names none, the newest open stream, or else the newest
 * request.
 *
 * @param attempt null: the completion names none.
 * @param candidates the newest first.
 */
export function requestOf(
  attempt: number | null,
  candidates: readonly KnownRequest[],
): { request: StoredRequest; isAmbiguous: boolean } | null {
  const inSight = candidates.filter(({ newer }) => newer < MAX_SHARED_ROWS).map(({ request }) => request)
  if (attempt !== null) {
    const named = inSight.find((request) => request.attempt === attempt)
    return named === undefined ? null : { request: named, isAmbiguous: false }
  }
  const [newest] = inSight
  if (newest === undefined) return null
  const open = inSight.filter(({ streaming, completedBy }) => streaming && completedBy === null)
  return { request: open[0] ?? newest, isAmbiguous: open.length > 1 }
}

/**
 * How many of the newest rows that share a correlation_id are looked at. A client that makes its
 * gateway use one id for everything must not make each completion read every row of it.
 */
export const MAX_SHARED_ROWS = 1000

/** Whether a held completion is for a request with this attempt: it names the same one, or none. */
export function isFor({ completion }: PlacedCompletion, attempt: number | null): boolean {
  const named = completion.attempt ?? null
  return named === null || named === attempt
}

/**
 * Returns the request with a completion's values, nulls included; a null `success` leaves the
 * request's own.
 */
export function completedRequest(
  before: StoredRequest,
  { completion, place }: PlacedCompletion,
): StoredRequest {
  const { input_tokens, output_tokens, cost_sats, stream_duration_ms, success } = completion
  return {
    ...before,
    input_tokens,
    output_tokens,
    cost_sats,
    stream_duration_ms,
    success: success ?? before.success,
    isCompleted: true,
    completedBy: place,
  }
}
