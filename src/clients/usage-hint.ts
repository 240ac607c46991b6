/** The paths of chat completions, whose streams report tokens only if they are asked to. */
const CHAT_COMPLETIONS = /\/(?:chat\/)?completions$/

/**
 * Tells people how to get token counts after a response reported none.
 *
 * @param alternative what they can do instead of changing the request, such as setting an option of
 *   the proxy; null: nothing.
 * @returns the hint, and in `source` what it is about, so that each hint is logged once.
 */
export function usageHint(
  path: string,
  isStream: boolean,
  alternative: string | null,
): { source: string; hint: string } {
  if (isStream && CHAT_COMPLETIONS.test(path)) {
    return {
      source: 'streams of chat completions',
      hint: `A response reported no tokens: they are logged as unknown. Ask for them with stream_options: { include_usage: true }${alternative === null ? '' : `, or ${alternative}`}`,
    }
  }
  return {
    source: isStream ? 'other streams' : 'other answers',
    hint: 'A response reported no tokens: they are logged as unknown',
  }
}
