/**
 * Why a server can't start. The codes are stable; thrown when
 *
 * - `TOKEN_REQUIRED`: it should listen beyond this machine, and anyone there could read everything.
 * - `TOKEN_INVALID`: the token is empty, or has characters that no header can carry.
 * - `ADDRESS_UNAVAILABLE`: the host or port can't be listened on: in use, not allowed, or not of this machine.
 */
export const SERVER_ERROR_CODES = ['TOKEN_REQUIRED', 'TOKEN_INVALID', 'ADDRESS_UNAVAILABLE'] as const

export type ServerErrorCode = (typeof SERVER_ERROR_CODES)[number]

/** The server can't start. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly code: ServerErrorCode

  constructor(code: ServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** An answer other than the one that was asked for. The message is for the client. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>

  constructor(status: number, message: string, headers: HttpError['headers'] = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

export function badRequest(problem: string): HttpError {
  return new HttpError(400, `Invalid request: ${problem}`)
}

export function notFound(problem: string): HttpError {
  return new HttpError(404, `Not found: ${problem}`)
}

/** @param retryAfterSeconds what the client is told to wait. */
export function unavailable(problem: string, retryAfterSeconds = 1): HttpError {
  return new HttpError(503, `Unavailable: ${problem}`, { 'retry-after': String(retryAfterSeconds) })
}

/** There is no database yet, and whoever makes it needn't tell this process. */
export const NO_DATABASE = 'there is no database yet: a projector makes it; start `request-journal project`'

/** What went wrong is in the log: the driver's words are not for clients. */
export function internalError(): HttpError {
  return new HttpError(
    500,
    'Internal error: the request could not be answered; the log of the server says why',
  )
}

/** The body of every answer that is an error. */
export interface ErrorBody {
  error: { message: string; type: 'arbstr_error'; code: number }
}

export function errorBody({ status, message }: HttpError): ErrorBody {
  return { error: { message, type: 'arbstr_error', code: status } }
}
