import { pathOf } from './usage/api.js'
import { object, text } from './usage/findings.js'
import { JsonScanner, type ToldObject, wantedNode } from './usage/json-scanner.js'

/** A request to a provider. */
export interface ModelRequest {
  method: string
  /** The path of its URL; it may have a query. */
  path: string
  header(name: string): string | null
  /** Null: there is none, or it can't be looked at. It isn't kept. */
  body: Uint8Array | null
}

/** What a request to a model says of itself. Null: it doesn't say. */
export interface RequestDescription {
  model: string | null
  isStreamAsked: boolean
  /** What the client asked for; what was billed stands in the answer. */
  service_tier: string | null
  /** Which try it is, from 0 on. */
  attempt: number | null
  correlationId: string | null
}

/**
 * Describes a request, of which only names and flags are read.
 *
 * @returns null if it isn't a call of a model (a list of models, a file, a batch): such a request
 *   isn't logged
 */
export function describeRequest({ method, path, header, body }: ModelRequest): RequestDescription | null {
  if (method.toUpperCase() !== 'POST') return null
  const told = membersOf(body)
  const model = text(told['model'])
  if (model === null && !CALLS.test(pathOf(path))) return null
  return {
    model,
    isStreamAsked: told['stream'] === true,
    service_tier: text(told['service_tier']),
    attempt: attemptOf(header('x-stainless-retry-count')),
    correlationId: text(header('idempotency-key') ?? undefined),
  }
}

const CALLS = /\/(chat\/completions|completions|responses|embeddings|messages)$/

const WANTED = wantedNode({ model: true, stream: true, service_tier: true })

function membersOf(body: Uint8Array | null): ToldObject {
  if (body === null) return {}
  let told: ToldObject = {}
  const scanner = new JsonScanner(WANTED, (document) => {
    told = object(document)
  })
  scanner.push(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  return told
}

function attemptOf(count: string | null): number | null {
  return count !== null && /^[0-9]{1,6}$/.test(count) ? Number(count) : null
}
