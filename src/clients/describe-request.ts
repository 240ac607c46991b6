import { RequestMembers } from './request-members.js'
import { apiOf, pathOf } from './usage/apis.js'
import { text } from './usage/values.js'

/** A request to a provider. */
export interface ModelRequest {
  method: string
  /** The path of its URL; it may have a query. */
  path: string
  header(name: string): string | null
  /**
   * The whole body, or the members found so far in a body that isn't kept. Null: there is no body,
   * or it can't be read. Neither the body nor any text of a prompt in it is kept.
   */
  body: Uint8Array | RequestMembers | null
}

/** What a request to a model says about itself, as far as it's logged. Null: it doesn't say. */
export interface RequestDescription {
  model: string | null
  isStreamAsked: boolean
  /** The tier that the client asked for. The answer says which one was billed. */
  service_tier: string | null
  /** The number of the attempt, from 0 on, as the SDKs of OpenAI and Anthropic count them. */
  attempt: number | null
  correlationId: string | null
}

/**
 * Describes a request by its path, its headers and three members of its JSON or form body: `model`,
 * `stream` and `service_tier`. It never throws.
 *
 * @returns null if the request doesn't call a model (but asks for a list of models, a file, a batch
 *   or a count of tokens): such a request isn't logged. A call is a POST to a known API, or one
 *   that names a model.
 */
export function describeRequest({ method, path, header, body }: ModelRequest): RequestDescription | null {
  const plain = pathOf(path)
  if (method.toUpperCase() !== 'POST' || NOT_CALLS.test(plain)) return null
  const { found } = body instanceof RequestMembers ? body : membersOf(body, header('content-type'))
  const model = modelOfPath(plain) ?? text(found['model'])
  if (model === null && apiOf(plain) === null) return null
  return {
    model,
    isStreamAsked: found['stream'] === true || found['stream'] === 'true' || STREAMS.test(plain),
    service_tier: text(found['service_tier']),
    attempt: attemptOf(header('x-stainless-retry-count')),
    correlationId: text(header('idempotency-key') ?? undefined),
  }
}

/**
 * Paths of requests that name a model but don't call it, or only later, so that nothing is billed
 * for their answers. (The paths are those of openai-openapi and anthropic-sdk-typescript.)
 */
const NOT_CALLS =
  /\/(batches|files|uploads|fine_tuning|assistants|threads|vector_stores|evals|realtime|moderations|count_tokens|input_tokens|tokenize|chat\/completions\/[^/]+)(\/|$)|:countTokens$/

/** Gemini and Vertex AI say in the path that they stream. */
const STREAMS = /:stream[A-Z]\w*$/

/**
 * The model that a path names: Gemini's and Vertex AI's `…/models/NAME:generateContent`, and
 * Azure's `/openai/deployments/NAME/…`, whose body may name any model (learn.microsoft.com, "Azure
 * OpenAI reference").
 */
function modelOfPath(path: string): string | null {
  const [, google, azure] = /\/models\/([^/:]+):\w+$|\/openai\/deployments\/([^/]+)\/./.exec(path) ?? []
  const name = google ?? azure
  if (name === undefined) return null
  try {
    return text(decodeURIComponent(name))
  } catch {
    // A `%` that encodes nothing: the name is taken as it's written.
    return name
  }
}

function membersOf(body: Uint8Array | null, contentType: string | null): RequestMembers {
  const members = new RequestMembers(contentType)
  if (body !== null) members.push(body)
  return members
}

function attemptOf(count: string | null): number | null {
  return count !== null && /^[0-9]{1,6}$/.test(count) ? Number(count) : null
}
