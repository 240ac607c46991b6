import type { Interruption } from '../exchange.js'
import type { Outgoing } from './outgoing.js'

/** Codes by which undici and the system say that time was over. */
const TIMEOUT_CODES = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
])

/** Tells why a fetch, or the reading of its answer, was rejected with this error. */
export function interruptionOf(
  error: unknown,
  { signal, header }: Outgoing,
  elapsedMs: number,
): Interruption {
  if (nameOf(error) === 'TimeoutError' || (signal?.aborted && nameOf(signal.reason) === 'TimeoutError')) {
    return { kind: 'timeout', error }
  }
  if (signal?.aborted || nameOf(error) === 'AbortError') {
    const seconds = sdkTimeout(header)
    if (seconds !== null && seconds > 0 && elapsedMs >= seconds * 1000) {
      return { kind: 'timeout', error: `the client's own limit of ${seconds} s` }
    }
    // "This operation was aborted" says nothing; a reason of the caller's own does.
    return nameOf(error) === 'AbortError' ? { kind: 'aborted' } : { kind: 'aborted', error }
  }
  return { kind: isTimeout(error) ? 'timeout' : 'network', error }
}

/**
 * The seconds after which the SDKs of OpenAI and Anthropic give up waiting for an answer to begin.
 * They abort then as they do for their caller, without a reason, but tell the time in a header, cut
 * to whole seconds. Null: not told.
 */
function sdkTimeout(header: (name: string) => string | null): number | null {
  const text = header('x-stainless-timeout')
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null
}

function isTimeout(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 3) return false
  const { code, cause } = error as { code?: unknown; cause?: unknown }
  return (typeof code === 'string' && TIMEOUT_CODES.has(code)) || isTimeout(cause, depth + 1)
}

function nameOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? (error as { name?: unknown }).name : null
}
