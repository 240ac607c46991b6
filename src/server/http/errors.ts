/** An answer that is an error. The message is for the client. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  /** Further members of the body, for programs. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    status: number,
    message: string,
    headers: HttpError['headers'] = {},
    details: HttpError['details'] = {},
  ) {
    super(message)
    this.status = status
    this.headers = headers
    this.details = details
  }
}

export function badRequest(problem: string, details: HttpError['details'] = {}): HttpError {
  return new HttpError(400, `Invalid request: ${problem}`, {}, details)
}

export function notFound(problem: string): HttpError {
  return new HttpError(404, `Not found: ${problem}`)
}

/** @param retryAfterSeconds how long the client should wait. */
export function unavailable(
  problem: string,
  retryAfterSeconds = 1,
  details: HttpError['details'] = {},
): HttpError {
  return new HttpError(503, `Unavailable: ${problem}`, { 'retry-after': String(retryAfterSeconds) }, details)
}

/** The problem while there is no database. The server notices without a restart when it is made. */
export const NO_DATABASE = 'there is no database yet: a projector makes it; start `request-journal project`'

/** The same problem with PostgreSQL. */
export const NO_TABLES =
  'there is no database yet: PostgreSQL has no tables of request-journal; run `request-journal migrate`'

/** @param since a timestamp. */
export function serverAway(since: string): string {
  return `PostgreSQL hasn't answered since ${since}; the log says why. Once it answers, nothing has to be restarted`
}

/** The log says what went wrong: the driver's message isn't meant for clients. */
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

export function errorBody({ status, message, details }: HttpError): ErrorBody {
  return { error: { message, type: 'arbstr_error', code: status }, ...details }
}
