const COMPLETIONS = /\/(?:chat\/)?completions$/

/**
 * Gives the body of a request that asks for usage in its stream.
 *
 * @returns null if there is nothing to ask for: it's another API, not a stream, or it says itself
 *   whether it wants usage.
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
  // Everything before stays as it is, to the last digit of each number.
  const end = body.lastIndexOf('}')
  return `${body.slice(0, end)},"stream_options":{"include_usage":true}${body.slice(end)}`
}
