import type { RequestOutcome } from '../stored-request.js'

/**
 * Which token counts are included in which: each token count, followed by the count that includes
 * it and, for when that one is unknown, the total that includes both.
 */
export const PARTS_OF_TOKENS = [
  ['cache_read_input_tokens', 'input_tokens'],
  ['cache_creation_input_tokens', 'input_tokens'],
  ['cache_creation_1h_input_tokens', 'cache_creation_input_tokens', 'input_tokens'],
  ['audio_input_tokens', 'input_tokens'],
  ['image_input_tokens', 'input_tokens'],
  ['reasoning_output_tokens', 'output_tokens'],
  ['audio_output_tokens', 'output_tokens'],
] as const satisfies readonly (keyof RequestOutcome)[][]

/** The token counts that decide whether a request is inconsistent. */
export type Tokens = Pick<RequestOutcome, (typeof PARTS_OF_TOKENS)[number][number]>

/**
 * Whether a part of a request's tokens is larger than the whole. SQLite's twin is INCONSISTENT_SQL.
 * Written out instead of looped, because it runs for every request, and hardly any has parts.
 */
export function isInconsistent(tokens: Tokens): boolean {
  const { input_tokens: input, output_tokens: output, cache_creation_input_tokens: creation } = tokens
  return (
    isMore(tokens.cache_read_input_tokens, input) ||
    isMore(creation, input) ||
    isMore(tokens.cache_creation_1h_input_tokens, creation ?? input) ||
    isMore(tokens.audio_input_tokens, input) ||
    isMore(tokens.image_input_tokens, input) ||
    isMore(tokens.reasoning_output_tokens, output) ||
    isMore(tokens.audio_output_tokens, output)
  )
}

function isMore(part: number | null | undefined, whole: number | null): boolean {
  return part !== undefined && part !== null && whole !== null && part > whole
}
