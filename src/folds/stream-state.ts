/** What tells whether a stream has ended. */
export interface StreamEnd {
  streaming: boolean
  success: boolean
  input_tokens: number | null
  output_tokens: number | null
  stream_duration_ms?: number | null
  /** A stream_completed has changed it. @default false */
  isCompleted?: boolean
}

/**
 * Whether a stream has no end: nothing has completed it, it didn't fail, and it wasn't logged whole, with its tokens or
 * its duration. The same as {@link UNENDED_SQL}.
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

/** As the partial index has it, term by term: otherwise SQLite doesn't use the index. */
export const UNENDED_SQL = `streaming <> 0 AND success <> 0 AND completed_segment_id IS NULL AND input_tokens IS NULL
  AND output_tokens IS NULL AND stream_duration_ms IS NULL`

/** How long a stream may take before it counts as unfinished, in milliseconds. */
const OPEN_FOR_MS = 3_600_000

/** The timestamp up to which streams without an end are unfinished. @param now milliseconds since 1970. */
export function unfinishedUntil(now: number): string {
  return new Date(now - OPEN_FOR_MS).toISOString()
}
