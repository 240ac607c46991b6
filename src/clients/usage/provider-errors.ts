import { STATUS_CODES } from 'node:http'
import type { Findings } from './findings.js'
import { object, text } from './values.js'
import type { Scanned, ScannedObject, Wanted } from './wanted-members.js'

/** The members of an `error` that are read. Some providers send a text instead of an object. */
export const ERROR = { message: true, type: true, code: true, status: true } satisfies Wanted

/**
 * The members that are read of a body that came with a failure's status, whichever the API:
 * - OpenAI and the many like it: `{ error: { message, type, code } }` (openai-openapi,
 *   ErrorResponse)
 * - Anthropic: `{ type: 'error', error: { type, message } }` (anthropic-sdk-typescript,
 *   ErrorResponse)
 * - Google: `{ error: { code, message, status } }`, also in an array (googleapis,
 *   google.rpc.Status)
 * - OpenRouter: `{ error: { code, message } }`, whose code is an HTTP status (openrouter.ai/docs,
 *   "Errors")
 * - Ollama: `{ error: 'text' }`; Mistral: `{ object: 'error', message, type, code }`
 * - FastAPI, as in routstr: `{ detail: 'text' }` and `{ detail: { error } }`
 */
export const FAILURE_MEMBERS = {
  error: ERROR,
  ...ERROR,
  detail: { error: ERROR, ...ERROR },
} satisfies Wanted

/** A message is for people, so the rest of a longer one is dropped. */
const MAX_MESSAGE = 1000

/** Notes the first `error` in an answer whose status was a success. */
export function readError(document: ScannedObject, found: Findings): void {
  found.error ??= errorOf(document['error'])
}

/** Notes the error in an answer whose status was a failure, wherever it is in the body. */
export function readFailure(document: ScannedObject, found: Findings): void {
  const detail = document['detail']
  found.error ??= errorOf(document['error'] ?? object(detail)['error'] ?? detail ?? document)
}

/** Reads an error. Null for null, and for a value that doesn't describe one. */
export function errorOf(error: Scanned | undefined): Findings['error'] {
  if (error === undefined || error === null) return null
  if (typeof error === 'string') return error === '' ? null : { status: null, message: short(error) }
  const { message, type, code, status } = object(error)
  const httpStatus = errorStatus(code) ?? errorStatus(status)
  const name = [code, status, type].map(text).find((word) => word !== null && !DIGITS.test(word))
  const words = [name, text(message)].filter((word) => typeof word === 'string')
  if (words.length > 0) return { status: httpStatus, message: short(words.join(': ')) }
  return httpStatus === null ? null : { status: httpStatus, message: statusText(httpStatus) }
}

/** Puts an HTTP status into words: `HTTP 502 Bad Gateway`. */
export function statusText(status: number): string {
  const name = STATUS_CODES[status]
  return name === undefined ? `HTTP ${status}` : `HTTP ${status} ${name}`
}

const DIGITS = /^[0-9]+$/

/** An HTTP status of a failure, given as a number or, by LiteLLM, as text; otherwise null. */
function errorStatus(value: Scanned | undefined): number | null {
  const status = typeof value === 'string' && DIGITS.test(value) ? Number(value) : value
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599
    ? (status as number)
    : null
}

function short(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`
}
