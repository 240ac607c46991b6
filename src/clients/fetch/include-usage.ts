import type { BodyFilter } from './observed-response.js'

const COMPLETIONS = /\/(?:chat\/)?completions$/

/** The longest event that is held back until its end is seen. The one with the usage is short. */
const MAX_EVENT_BYTES = 64 * 1024

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

/** Takes the chunk that tells only usage, which the client hasn't asked for, out of a stream. */
export class UsageChunkFilter implements BodyFilter {
  #held = new Uint8Array()

  push(bytes: Uint8Array): Uint8Array<ArrayBuffer> | null {
    const all = joined(this.#held, bytes)
    const parts: Uint8Array[] = []
    let from = 0
    for (;;) {
      const end = endOfEvent(all, from)
      if (end === null) break
      const event = all.subarray(from, end)
      if (!isUsageChunk(event)) parts.push(event)
      from = end
    }
    this.#held = all.slice(from)
    if (this.#held.length > MAX_EVENT_BYTES) {
      parts.push(this.#held)
      this.#held = new Uint8Array()
    }
    return parts.length === 0 ? null : joined(...parts)
  }

  end(): Uint8Array<ArrayBuffer> | null {
    const rest = this.#held
    this.#held = new Uint8Array()
    return rest.length === 0 || isUsageChunk(rest) ? null : rest
  }
}

/** The bytes in a buffer of their own: a stream takes it over, and must not take Node's pool. */
function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const LF = 10
const CR = 13

/** The offset after the blank line that ends the event; null if it hasn't come yet. */
function endOfEvent(bytes: Uint8Array, from: number): number | null {
  let at = bytes.indexOf(LF, from)
  while (at !== -1) {
    const next = bytes[at + 1] === CR ? at + 2 : at + 1
    if (bytes[next] === LF) return next + 1
    at = bytes.indexOf(LF, at + 1)
  }
  return null
}

function isUsageChunk(event: Uint8Array): boolean {
  const text = Buffer.from(event.buffer, event.byteOffset, event.byteLength).toString('utf8')
  if (!text.includes('"usage"')) return false
  const data = /^data: ?(.*)$/m.exec(text)?.[1]
  if (data === undefined) return false
  try {
    const chunk: unknown = JSON.parse(data)
    if (typeof chunk !== 'object' || chunk === null) return false
    const { choices, usage } = chunk as Record<string, unknown>
    return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object' && usage !== null
  } catch {
    return false
  }
}
