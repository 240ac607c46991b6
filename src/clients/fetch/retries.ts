import { createHash } from 'node:crypto'

/** How many failed attempts are remembered in case they are retried. */
const MAX_REMEMBERED = 1000

/**
 * Finds out which attempts belong to the same call of an SDK. The SDKs of OpenAI and Anthropic
 * number their attempts, but send no id of the call: its attempts have only their URL and body in
 * common. So a retry belongs to the oldest failed attempt that has the previous number, the same
 * URL and the same body, and that no earlier retry belongs to.
 *
 * Bodies are kept as hashes. If two identical calls fail at the same time, their retries may be
 * swapped.
 */
export class Retries {
  readonly #failed = new Map<string, string[]>()
  #count = 0

  /** Remembers a failed attempt, in case it's retried. */
  failed(attempt: number, url: string, body: Uint8Array, correlationId: string): void {
    const key = keyOf(attempt + 1, url, body)
    const ids = this.#failed.get(key)
    if (ids === undefined) this.#failed.set(key, [correlationId])
    else ids.push(correlationId)
    this.#count++
    // Attempts that are never retried stay until newer ones take their place.
    for (const [oldest, those] of this.#failed) {
      if (this.#count <= MAX_REMEMBERED) break
      this.#count -= those.length
      this.#failed.delete(oldest)
    }
  }

  /** Returns the id of the call that this retry belongs to; undefined if it isn't known. */
  correlationIdOf(attempt: number, url: string, body: Uint8Array): string | undefined {
    if (attempt === 0 || this.#count === 0) return undefined
    const key = keyOf(attempt, url, body)
    const ids = this.#failed.get(key)
    const id = ids?.shift()
    if (id === undefined) return undefined
    this.#count--
    if (ids?.length === 0) this.#failed.delete(key)
    return id
  }
}

function keyOf(attempt: number, url: string, body: Uint8Array): string {
  return `${attempt} ${createHash('sha256').update(url).update('\n').update(body).digest('base64')}`
}
