import type { CountedRequest } from '../stored-request.js'

/** The values that decide whether a stream has ended. */
export type StreamEnd = Pick<
  CountedRequest,
  'streaming' | 'success' | 'input_tokens' | 'output_tokens' | 'stream_duration_ms' | 'isCompleted'
>

/**
 * Whether a request is a stream without an end: no completion has changed it, it didn't fail, and
 * it wasn't logged whole, with its tokens or its duration. By contrast, what `requestOf` calls an
 * open stream may have failed or been logged whole. SQL's twin is the dialect's `isUnended`.
 */
export function isUnended(request: StreamEnd): boolean {
  return (
    request.streaming &&
    request.success &&
    request.isCompleted !== true &&
    request.input_tokens === null &&
    request.output_tokens === null &&
    (request.stream_duration_ms ?? null) === null
  )
}

/** How long a stream without an end may go on before it counts as unfinished, in milliseconds. */
const OPEN_FOR_MS = 3_600_000

/**
 * Returns the timestamp up to which streams without an end are unfinished.
 *
 * @param now milliseconds since 1970.
 */
export function unfinishedUntil(now: number): string {
  return new Date(now - OPEN_FOR_MS).toISOString()
}
