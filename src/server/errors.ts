/**
 * Why a server can't start. The codes are stable; thrown when
 *
 * - `TOKEN_REQUIRED`: it would listen on an address that other machines can reach, so that anyone
 *   could read everything; or it would take events, which any program could forge.
 * - `TOKEN_INVALID`: the token is empty, too short, or has characters that no header can carry.
 * - `ADDRESS_UNAVAILABLE`: it can't listen on the host or port: the port is in use or not allowed,
 *   or the address isn't this machine's.
 */
export const SERVER_ERROR_CODES = ['TOKEN_REQUIRED', 'TOKEN_INVALID', 'ADDRESS_UNAVAILABLE'] as const

export type ServerErrorCode = (typeof SERVER_ERROR_CODES)[number]

/** A server that can't start. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly code: ServerErrorCode

  constructor(code: ServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
