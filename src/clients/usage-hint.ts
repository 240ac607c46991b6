/** The endings of paths whose answers are known, with how one gets tokens in their streams. */
const CHAT = /\/(?:chat\/)?completions$/

/**
 * Says how a client gets a response to report its tokens.
 *
 * @param ownWay what else asks for them, of whoever passes the request on; null: nothing.
 * @returns `source`, by which hints are told apart so that each is given once, and the hint.
 */
export function usageHint(
  path: string,
  isStream: boolean,
  ownWay: string | null,
): { source: string; hint: string } {
  if (isStream && CHAT.test(path)) {
    return {
      source: 'streams of chat completions',
      hint: `A response reported no tokens: they are logged as unknown. Ask for them with stream_options: { include_usage: true }${ownWay === null ? '' : `, or ${ownWay}`}`,
    }
  }
  return {
    source: isStream ? 'other streams' : 'other answers',
    hint: 'A response reported no tokens: they are logged as unknown',
  }
}
