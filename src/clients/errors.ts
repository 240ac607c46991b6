/**
 * Why a proxy can't start. The codes are stable; thrown when
 *
 * - `TOKEN_REQUIRED`: it is to listen beyond this machine, without a token and without `open`.
 * - `TOKEN_INVALID`: the token is empty, too short, or has characters that no header can carry.
 * - `UPSTREAM_INVALID`: an upstream's URL, path prefix or another of its values can't be used.
 * - `ADDRESS_UNAVAILABLE`: it can't listen on the host or port: in use, not allowed, or not of this
 *   machine.
 */
export const PROXY_ERROR_CODES = [
  'TOKEN_REQUIRED',
  'TOKEN_INVALID',
  'UPSTREAM_INVALID',
  'ADDRESS_UNAVAILABLE',
] as const

export type ProxyErrorCode = (typeof PROXY_ERROR_CODES)[number]

/** A proxy that can't start. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'
  readonly code: ProxyErrorCode

  constructor(code: ProxyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
