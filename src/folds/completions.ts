import type { PlacedCompletion } from '../events/place.js'
import type { KnownRequest } from './changes.js'
import type { PriceBook } from './costs/price-book.js'
import { rowCost } from './costs/row-cost.js'
import type { StoredRequest } from './stored-request.js'

/**
 * Finds the request that a completion changes, by the rules of journal/README.md: the newest
 * request with the attempt that the completion names; if it names none, the newest open stream, or
 * else the newest request. A stream is open until a completion has changed it.
 *
 * @param attempt null if the completion names none.
 * @param candidates the newest first.
 */
export function requestOf(
  attempt: number | null,
  candidates: Iterable<KnownRequest>,
): { request: StoredRequest; isAmbiguous: boolean } | null {
  let newest: StoredRequest | null = null
  let open: StoredRequest | null = null
  for (const { request, newer } of candidates) {
    if (newer >= MAX_SHARED_ROWS) break
    newest ??= request
    const { streaming, completedBy } = request
    if (attempt !== null) {
      if (request.attempt === attempt) return { request, isAmbiguous: false }
    } else if (streaming && completedBy === null) {
      if (open !== null) return { request: open, isAmbiguous: true }
      open = request
    }
  }
  const found = attempt === null ? (open ?? newest) : null
  return found === null ? null : { request: found, isAmbiguous: false }
}

/**
 * How many of the newest rows that share a correlation_id are looked at. Without this limit, a
 * client that makes its gateway use one id for everything would make each completion read every row
 * with that id.
 */
export const MAX_SHARED_ROWS = 1000

/**
 * Returns the request with a completion's values, nulls included, and the cost that follows from
 * them; a null `success` leaves the request's own.
 */
export function completedRequest(
  before: StoredRequest,
  { completion, place }: PlacedCompletion,
  book: PriceBook,
): StoredRequest {
  const request = {
    ...before,
    response_model: completion.response_model ?? null,
    service_tier: completion.service_tier ?? null,
    input_tokens: completion.input_tokens,
    output_tokens: completion.output_tokens,
    cache_read_input_tokens: completion.cache_read_input_tokens ?? null,
    cache_creation_input_tokens: completion.cache_creation_input_tokens ?? null,
    cache_creation_1h_input_tokens: completion.cache_creation_1h_input_tokens ?? null,
    audio_input_tokens: completion.audio_input_tokens ?? null,
    image_input_tokens: completion.image_input_tokens ?? null,
    reasoning_output_tokens: completion.reasoning_output_tokens ?? null,
    audio_output_tokens: completion.audio_output_tokens ?? null,
    provider_cost_sats: completion.provider_cost_sats,
    provider_cost_usd: completion.provider_cost_usd ?? null,
    stream_duration_ms: completion.stream_duration_ms,
    success: completion.success ?? before.success,
    isCompleted: true,
    completedBy: place,
  }
  const logged = { sats: completion.cost_sats, usd: completion.cost_usd ?? null }
  return Object.assign(request, rowCost(request, logged, book))
}
