import type { Interruption } from '../exchange.js'

/** Codes by which undici and the system say that time was over. */
const TIMEOUT_CODES = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
])

/** Sees whether and how a signal aborts. */
export class AbortWatch {
  readonly #signal: AbortSignal | null
  #isByTimer = false
  #then: ((reason: unknown) => void) | null = null
  readonly #onAbort = (): void => {
    this.#isByTimer = isCalledByTimer()
    if (this.#then !== null) this.afterAbort(this.#then)
  }

  constructor(signal: AbortSignal | null) {
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort)
  }

  /** Lets go of the signal, which may live longer than many calls. */
  end(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  /** Calls `act` with the reason of an abort, once fetch has had its turn; at once if it has. */
  afterAbort(act: (reason: unknown) => void): void {
    const signal = this.#signal
    this.#then = act
    if (signal?.aborted) setImmediate(() => act(signal.reason))
  }

  /** Tells why a fetch, or the reading of its answer, was rejected with this error. */
  interruptionOf(error: unknown): Interruption {
    const signal = this.#signal
    if (nameOf(error) === 'TimeoutError' || (signal?.aborted && nameOf(signal.reason) === 'TimeoutError')) {
      return { kind: 'timeout', error }
    }
    if (!signal?.aborted && nameOf(error) !== 'AbortError') {
      return { kind: isTimeout(error) ? 'timeout' : 'network', error }
    }
    // "This operation was aborted" says nothing; a reason of the caller's own does.
    if (nameOf(error) !== 'AbortError') return { kind: 'aborted', error }
    return { kind: this.#isByTimer ? 'timeout' : 'aborted' }
  }
}

/**
 * Whether the `abort()` that is being dispatched is one that a timer called. The SDKs of OpenAI,
 * Anthropic and Google end what takes too long so, and give no reason; only the stack tells it from
 * an abort of their caller, which they pass on from a listener. Where it can't be told, as with fake
 * timers, the answer is no.
 */
function isCalledByTimer(): boolean {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  const frames = (new Error().stack ?? '').split('\n')
  Error.stackTraceLimit = stackTraceLimit
  const aborts = frames.flatMap((frame, at) => (frame.includes('AbortController.abort ') ? [at] : []))
  const [abort] = aborts
  if (abort === undefined || aborts.length > 1) return false
  // The timer calls abort, or a function that does. Code that goes on after waiting for a timer has
  // frames between the two.
  return frames.slice(abort + 1, abort + 3).some((frame) => frame.includes('listOnTimeout '))
}

function isTimeout(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 3) return false
  const { code, cause } = error as { code?: unknown; cause?: unknown }
  return (typeof code === 'string' && TIMEOUT_CODES.has(code)) || isTimeout(cause, depth + 1)
}

function nameOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? (error as { name?: unknown }).name : null
}
