import { apiOf, pathOf } from './usage/api.js'
import { object, text } from './usage/findings.js'
import { JsonScanner } from './usage/json-scanner.js'
import { type ToldObject, wantedNode } from './usage/wanted.js'

/** A request to a provider. */
export interface ModelRequest {
  method: string
  /** The path of its URL; it may have a query. */
  path: string
  header(name: string): string | null
  /** Null: there is none, or it can't be looked at. It isn't kept, nor any content of it. */
  body: Uint8Array | null
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
  const told = body === null ? {} : membersOf(body, header('content-type'))
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
    return decodeURIComponent(name)
  } catch {
    // A lone `%`: the name stands as it is written.
    return name
  }
}

const WANTED = { model: true, stream: true, service_tier: true } as const
const WANTED_NODE = wantedNode(WANTED)

function membersOf(body: Uint8Array, contentType: string | null): ToldObject {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const [, quoted, bare] =
    /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '') ?? []
  const boundary = quoted ?? bare
  if (boundary !== undefined) return formMembers(bytes, boundary)
  let told: ToldObject = {}
  new JsonScanner(WANTED_NODE, (document) => {
    told = object(document)
  }).push(bytes)
  return told
}

const MAX_PART_HEAD_BYTES = 4096
/** Names of models are short. */
const MAX_PART_BYTES = 1024

/** Reads the wanted fields of a form; files are passed over by their boundaries. */
function formMembers(bytes: Buffer, boundary: string): ToldObject {
  const told: ToldObject = {}
  const mark = Buffer.from(`\r\n--${boundary}`)
  // The first boundary has no line before it.
  let start = bytes.indexOf(mark.subarray(2)) + mark.length - 2
  while (start >= mark.length - 2) {
    const bodyStart = bytes.indexOf('\r\n\r\n', start) + 4
    const end = bytes.indexOf(mark, start)
    if (bodyStart < 4 || end === -1) break
    const head = bytes.toString('latin1', start, Math.min(bodyStart, start + MAX_PART_HEAD_BYTES))
    const [, name] = /\bname="([^"]*)"/.exec(head) ?? []
    const isWanted = name !== undefined && Object.hasOwn(WANTED, name)
    if (isWanted && end - bodyStart <= MAX_PART_BYTES) told[name] = bytes.toString('utf8', bodyStart, end)
    start = end + mark.length
  }
  return told
}

function attemptOf(count: string | null): number | null {
  return count !== null && /^[0-9]{1,6}$/.test(count) ? Number(count) : null
}
