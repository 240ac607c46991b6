/** The paths of chat completions, whose streams report tokens only if they are asked to. */
const COMPLETIONS = /\/(?:chat\/)?completions$/

/**
 * Changes the body of a request so that it asks for usage in its stream.
 *
 * @returns null if the body should stay as it is: it's for another API, doesn't ask for a stream,
 *   or already says whether usage is wanted.
 * @throws SyntaxError if the body isn't JSON.
 */
export function askForUsage(body: string, path: string): string | null {
  if (!COMPLETIONS.test(path)) return null
  const request: unknown = JSON.parse(body)
  if (typeof request !== 'object' || request === null) return null
  const { stream, stream_options: options } = request as Record<string, unknown>
  if (stream !== true) return null
  if (options !== undefined && options !== null) {
    if (typeof options !== 'object' || 'include_usage' in options) return null
    return JSON.stringify({ ...request, stream_options: { ...options, include_usage: true } })
  }
  if (options === null) return JSON.stringify({ ...request, stream_options: { include_usage: true } })
  // Appended as text, so that all else stays as it is: JSON.parse would round long numbers.
  const end = body.lastIndexOf('}')
  return `${body.slice(0, end)},"stream_options":{"include_usage":true}${body.slice(end)}`
}

/**
 * Tells people how to get token counts after a response reported none.
 *
 * @param alternative what they can do instead of changing the request, such as setting an option.
 * @returns the hint, and in `source` what it is about, so that each hint is logged once.
 */
export function usageHint(
  path: string,
  isStream: boolean,
  alternative: string,
): { source: string; hint: string } {
  const hint = 'A response reported no tokens: they are logged as unknown'
  if (!isStream || !COMPLETIONS.test(path))
    return { source: isStream ? 'other streams' : 'other answers', hint }
  const advice = `Ask for them with stream_options: { include_usage: true }, or ${alternative}`
  return { source: 'streams of chat completions', hint: `${hint}. ${advice}` }
}
