import { type ServerResponse, STATUS_CODES } from 'node:http'
import { CORRELATION_HEADER } from './headers.js'

/** An error that the proxy answers a request with itself, instead of the upstream. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  /** The `error.code` of the answer, by which clients distinguish refusals. */
  readonly reason: string

  constructor(status: number, reason: string, message: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

/** Answers in the shape of OpenAI's errors, which most clients read. */
export function answerRefusal(
  response: ServerResponse,
  refusal: Refusal,
  correlationId: string | null,
): void {
  const { status, reason, message } = refusal
  const text = `request-journal proxy: ${message}`
  const body = JSON.stringify({ error: { message: text, type: 'proxy_error', param: null, code: reason } })
  // The status text is given, because an answer that couldn't be passed on may have set its own.
  response.writeHead(status, STATUS_CODES[status], {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...(correlationId === null ? {} : { [CORRELATION_HEADER]: correlationId }),
  })
  response.end(body)
}

/** Describes an upstream's failure by the code of its error. */
const FAILURES: Record<string, string> = {
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  UND_ERR_SOCKET: 'it closed the connection',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ENOTFOUND: "its name isn't known",
  EAI_AGAIN: "its name can't be resolved for now",
  ETIMEDOUT: 'connecting took too long',
  UND_ERR_CONNECT_TIMEOUT: 'connecting took too long',
  UND_ERR_HEADERS_TIMEOUT: "its answer didn't begin in time",
  UND_ERR_HEADERS_OVERFLOW: "its answer's headers are too long",
  EPROTO: "it doesn't speak TLS as expected",
}

const TOO_LATE = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT'])
const CERTIFICATE = /CERT|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/

/** The answer for a request whose upstream gave none: 504 if it took too long, otherwise 502. */
export function upstreamFailure(origin: string, error: Error): Refusal {
  const code = codeOf(error)
  const reason = `${describeCode(code, error)}${code === '' ? '' : ` (${code})`}`
  const status = TOO_LATE.has(code) ? 504 : 502
  return new Refusal(status, status === 504 ? 'upstream_timeout' : 'upstream_failed', `${origin}: ${reason}`)
}

function describeCode(code: string, error: Error): string {
  const known = FAILURES[code]
  if (known !== undefined) return known
  if (CERTIFICATE.test(code)) return `its certificate isn't trusted: ${error.message}`
  if (code.startsWith('ERR_SSL')) return "it doesn't speak TLS as expected"
  if (error.name === 'HTTPParserError') return "its answer isn't HTTP"
  return error.message
}

/** An error's code; '' if it has none. */
export function codeOf(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
