import { STATUS_CODES } from 'node:http'
import { type Findings, object, text } from './findings.js'
import type { Told, ToldObject, Wanted } from './json-scanner.js'

/**
 * The members of an error that are read:
 * - OpenAI and the many like it: `{ error: { message, type, param, code } }` (openai-openapi, ErrorResponse)
 * - Anthropic: `{ type: 'error', error: { type, message } }` (anthropic-sdk-typescript, ErrorResponse)
 * - Google: `{ error: { code, message, status } }` (google.rpc.Status), also as an array's element
 * - OpenRouter: `{ error: { code, message } }`, whose code is an HTTP status
 * - Ollama and others: `{ error: 'text' }`; vLLM: `{ object: 'error', message, type, code }`
 * - FastAPI's gateways, as routstr: `{ detail: 'text' }` and `{ detail: { error: … } }`
 */
const ERROR = { message: true, type: true, code: true, status: true } satisfies Wanted
export const ERROR_MEMBERS = {
  error: ERROR,
  message: true,
  code: true,
  type: true,
  object: true,
  detail: { error: ERROR, message: true },
} satisfies Wanted

/** A message is for people, so the rest of a longer one is dropped. */
const MAX_MESSAGE = 1000

/**
 * Notes an error if a document tells one. A failed response's body is an error in any case, so its
 * message may stand where it likes; in an answer that began with 200 only `error` says so.
 */
export function readError(document: ToldObject, found: Findings, isFailure: boolean): void {
  const told = isFailure ? failureOf(document) : document['error']
  const error = errorOf(told)
  if (error !== null) found.error ??= error
}

function failureOf(document: ToldObject): Told | undefined {
  const detail = document['detail']
  return document['error'] ?? object(detail)['error'] ?? detail ?? document
}

/** @returns null for null, and for what tells no error */
export function errorOf(told: Told | undefined): Findings['error'] {
  if (typeof told === 'string') return told === '' ? null : { status: null, message: short(told) }
  const { message, type, code, status } = object(told)
  const name = text(code) ?? text(status) ?? text(type)
  const words = [name, text(message)].filter((word) => word !== null)
  const httpStatus = [code, status].find(isErrorStatus) ?? null
  if (words.length === 0 && httpStatus === null) return null
  return {
    status: httpStatus,
    message: words.length > 0 ? short(words.join(': ')) : statusText(httpStatus as number),
  }
}

/** Says an HTTP status in words: `HTTP 502 Bad Gateway`. */
export function statusText(status: number): string {
  const name = STATUS_CODES[status]
  return name === undefined ? `HTTP ${status}` : `HTTP ${status} ${name}`
}

function isErrorStatus(value: Told | undefined): value is number {
  return Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599
}

function short(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`
}
