import { STATUS_CODES } from 'node:http'
import { type Findings, object, text } from './findings.js'
import type { Told, ToldObject, Wanted } from './wanted.js'

/** The members of an `error` that are read; a text may stand in its place. */
export const ERROR = { message: true, type: true, code: true, status: true } satisfies Wanted

/**
 * What is read of a body that came with a status of failure, whichever API it is of:
 * - OpenAI and the many like it: `{ error: { message, type, code } }` (openai-openapi, ErrorResponse)
 * - Anthropic: `{ type: 'error', error: { type, message } }` (anthropic-sdk-typescript, ErrorResponse)
 * - Google: `{ error: { code, message, status } }`, also in an array (googleapis, google.rpc.Status)
 * - OpenRouter: `{ error: { code, message } }`, whose code is an HTTP status (openrouter.ai/docs, "Errors")
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

/** Notes the first `error` that an answer tells which began as a success. */
export function readError(document: ToldObject, found: Findings): void {
  found.error ??= errorOf(document['error'])
}

/** Notes the error that a failed answer tells, wherever it stands. */
export function readFailure(document: ToldObject, found: Findings): void {
  const detail = document['detail']
  found.error ??= errorOf(document['error'] ?? object(detail)['error'] ?? detail ?? document)
}

/** @returns null for null, and for anything that tells no error */
export function errorOf(told: Told | undefined): Findings['error'] {
  if (told === undefined || told === null) return null
  if (typeof told === 'string') return told === '' ? null : { status: null, message: short(told) }
  const { message, type, code, status } = object(told)
  const httpStatus = errorStatus(code) ?? errorStatus(status)
  const name = [code, status, type].map(text).find((word) => word !== null && !DIGITS.test(word))
  const words = [name, text(message)].filter((word) => typeof word === 'string')
  if (words.length > 0) return { status: httpStatus, message: short(words.join(': ')) }
  return httpStatus === null ? null : { status: httpStatus, message: statusText(httpStatus) }
}

/** Says an HTTP status in words: `HTTP 502 Bad Gateway`. */
export function statusText(status: number): string {
  const name = STATUS_CODES[status]
  return name === undefined ? `HTTP ${status}` : `HTTP ${status} ${name}`
}

const DIGITS = /^[0-9]+$/

/** An HTTP status of failure, which LiteLLM writes as text. */
function errorStatus(told: Told | undefined): number | null {
  const status = typeof told === 'string' && DIGITS.test(told) ? Number(told) : told
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599
    ? (status as number)
    : null
}

function short(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`
}
