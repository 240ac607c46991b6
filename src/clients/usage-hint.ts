/** The endings of paths whose answers are known, with how one gets tokens in their streams. */
const CHAT = /\/(?:chat\/)?completions$/

/**
 * Says how a client gets an answer to tell its tokens.
 *
 * @returns `source`, by which hints are told apart so that each is given once, and the hint.
 */
export function usageHint(path: string, isStream: boolean): { source: string; hint: string } {
  if (isStream && CHAT.test(path)) {
    return {
      source: 'streams of chat completions',
      hint: 'An answer told no tokens: they are logged as unknown. Ask for them with stream_options: { include_usage: true }, or with includeUsage of loggedFetch',
    }
  }
  return {
    source: isStream ? 'other streams' : 'other answers',
    hint: 'An answer told no tokens: they are logged as unknown',
  }
}
