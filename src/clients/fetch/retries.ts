import { createHash } from 'node:crypto'

/** How many failed attempts are remembered for their retry. */
const MAX_REMEMBERED = 1000

/**
 * Joins the attempts of one call of an SDK. OpenAI's and Anthropic's number their attempts, but
 * send nothing that two attempts of a call have in common, except that the second is sent to the
 * same URL with the same body. So a retry belongs to the oldest attempt that failed with the number
 * before, the same URL and the same body, and that no retry was found for.
 *
 * Bodies are kept as hashes. Of two identical calls that fail at the same time, one may get the
 * retry of the other.
 */
export class Retries {
  readonly #failed = new Map<string, string[]>()
  #count = 0

  /** Remembers an attempt that failed, in case it is tried again. */
  failed(attempt: number, url: string, body: Uint8Array, correlationId: string): void {
    const key = keyOf(attempt + 1, url, body)
    const ids = this.#failed.get(key)
    if (ids === undefined) this.#failed.set(key, [correlationId])
    else ids.push(correlationId)
    this.#count++
    // The oldest are those that were never tried again.
    for (const [oldest, those] of this.#failed) {
      if (this.#count <= MAX_REMEMBERED) break
      this.#count -= those.length
      this.#failed.delete(oldest)
    }
  }

  /** Returns the id of the call that this attempt belongs to; undefined if none is known. */
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
