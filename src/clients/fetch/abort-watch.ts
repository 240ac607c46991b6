import type { Interruption } from '../exchange.js'

/** Error codes of undici and the system that mean that a time limit ran out. */
const TIMEOUT_CODES = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
])

/** Watches the signal of a call, to find out why the call was interrupted. */
export class AbortWatch {
  readonly #signal: AbortSignal | null
  #isByTimer = false
  #act: ((reason: unknown) => void) | null = null
  readonly #onAbort = (): void => {
    this.#isByTimer = isCalledByTimer()
    if (this.#act !== null) this.afterAbort(this.#act)
  }

  constructor(signal: AbortSignal | null) {
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort)
  }

  /**
   * Stops watching, since a signal that is used for many calls would keep all of them in memory.
   */
  end(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  /**
   * Calls `act` with the reason after the signal has aborted, even if it has done so already. By
   * then fetch has had time to react.
   */
  afterAbort(act: (reason: unknown) => void): void {
    const signal = this.#signal
    this.#act = act
    if (signal?.aborted) setImmediate(() => act(signal.reason))
  }

  /** Says why a call, or the reading of its answer, was rejected with this error. */
  interruptionOf(error: unknown): Interruption {
    const signal = this.#signal
    if (nameOf(error) === 'TimeoutError' || (signal?.aborted && nameOf(signal.reason) === 'TimeoutError')) {
      return { kind: 'timeout', error }
    }
    if (!signal?.aborted && nameOf(error) !== 'AbortError') {
      return { kind: isTimeout(error) ? 'timeout' : 'broken', error }
    }
    // An AbortError says only that there was an abort; a reason that the caller gave says more.
    if (nameOf(error) !== 'AbortError') return { kind: 'aborted', error }
    return { kind: this.#isByTimer ? 'timeout' : 'aborted' }
  }
}

/**
 * Whether a timer called the `abort()` whose event is being dispatched. That is how the SDKs of
 * OpenAI, Anthropic and Google end a call that takes too long. They give no reason, so only the
 * stack distinguishes it from an abort by their caller, which they pass on from a listener. If the
 * stack doesn't show it, as with fake timers, the answer is no.
 */
function isCalledByTimer(): boolean {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  const frames = (new Error().stack ?? '').split('\n')
  Error.stackTraceLimit = stackTraceLimit
  const aborts = frames.flatMap((frame, at) => (frame.includes('AbortController.abort ') ? [at] : []))
  const [abort] = aborts
  if (abort === undefined || aborts.length > 1) return false
  // The timer calls abort, or a function that calls abort. Code that was only waiting for a timer
  // has more frames in between.
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
