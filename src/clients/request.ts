import { RequestMembers } from './request-members.js'
import { apiOf, pathOf } from './usage/api.js'
import { text } from './usage/findings.js'

/** A request to a provider. */
export interface ModelRequest {
  method: string
  /** The path of its URL; it may have a query. */
  path: string
  header(name: string): string | null
  /**
   * The whole body, or what was read of one that isn't held. Null: there is none, or it can't be looked
   * at. It isn't kept, nor any content of it.
   */
  body: Uint8Array | RequestMembers | null
}

/** What a request to a model says of itself. Null: it doesn't say. */
export interface RequestDescription {
  model: string | null
  isStreamAsked: boolean
  /** The tier that the client asked for; the answer says which one was billed. */
  service_tier: string | null
  /** Which try it is, from 0 on, as the SDKs of OpenAI and Anthropic count. */
  attempt: number | null
  correlationId: string | null
}

/**
 * Describes a request by its path, its headers and three members of its body: `model`, `stream` and
 * `service_tier`, of JSON or of a form. It never throws.
 *
 * @returns null if it isn't a call of a model (a list of models, a file, a batch, a count of tokens):
 *   such a request isn't logged. A call is a POST to an API that is known, or one that names a model.
 */
export function describeRequest({ method, path, header, body }: ModelRequest): RequestDescription | null {
  const plain = pathOf(path)
  if (method.toUpperCase() !== 'POST' || NOT_CALLS.test(plain)) return null
  const { told } = body instanceof RequestMembers ? body : membersOf(body, header('content-type'))
  const model = modelOfPath(plain) ?? text(told['model'])
  if (model === null && apiOf(plain) === null) return null
  return {
    model,
    isStreamAsked: told['stream'] === true || told['stream'] === 'true' || STREAMS.test(plain),
    service_tier: text(told['service_tier']),
    attempt: attemptOf(header('x-stainless-retry-count')),
    correlationId: text(header('idempotency-key') ?? undefined),
  }
}

/**
 * Requests that name a model and don't call it, or only later: their own answers bill nothing. (The
 * paths are those of openai-openapi and anthropic-sdk-typescript.)
 */
const NOT_CALLS =
  /\/(batches|files|uploads|fine_tuning|assistants|threads|vector_stores|evals|realtime|moderations|count_tokens|input_tokens|tokenize|chat\/completions\/[^/]+)(\/|$)|:countTokens$/

/** Gemini and Vertex AI say in the path that they stream. */
const STREAMS = /:stream[A-Z]\w*$/

/**
 * The model that a path names: Gemini's and Vertex AI's `…/models/NAME:generateContent`, and Azure's
 * `/openai/deployments/NAME/…`, whose body may name any model (learn.microsoft.com, "Azure OpenAI
 * reference").
 */
function modelOfPath(path: string): string | null {
  const [, google, azure] = /\/models\/([^/:]+):\w+$|\/openai\/deployments\/([^/]+)\/./.exec(path) ?? []
  const name = google ?? azure
  if (name === undefined) return null
  try {
    return text(decodeURIComponent(name))
  } catch {
    // A lone `%`: the name stands as it is written.
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
