/**
 * The reasons why a proxy can't start. The codes are stable:
 *
 * - `TOKEN_REQUIRED`: other machines could reach the proxy, and neither a token nor `open` is
 *   given.
 * - `TOKEN_INVALID`: the token is empty, too short, or has characters that a header can't carry.
 * - `UPSTREAM_INVALID`: an upstream's URL, path prefix or other values can't be used.
 * - `ADDRESS_UNAVAILABLE`: the proxy can't listen on the host or port, because it's in use, needs
 *   permission, or isn't an address of this machine.
 */
export const PROXY_ERROR_CODES = [
  'TOKEN_REQUIRED',
  'TOKEN_INVALID',
  'UPSTREAM_INVALID',
  'ADDRESS_UNAVAILABLE',
] as const

export type ProxyErrorCode = (typeof PROXY_ERROR_CODES)[number]

/** Thrown if a proxy can't start. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'
  readonly code: ProxyErrorCode

  constructor(code: ProxyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
