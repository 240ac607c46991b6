import { COST_MEMBERS, readCosts } from './costs.js'
import { type Api, type Findings, usageOf } from './findings.js'
import type { Usage } from './observation.js'
import { ERROR, errorOf, readError } from './provider-errors.js'
import { count, isObject, object, text } from './values.js'
import { type Scanned, type ScannedObject, type Wanted, wantedNode } from './wanted-members.js'

const RESPONSE = {
  id: true,
  model: true,
  service_tier: true,
  status: true,
  usage: {
    input_tokens: true,
    output_tokens: true,
    input_tokens_details: { cached_tokens: true, cache_write_tokens: true },
    output_tokens_details: { reasoning_tokens: true },
    ...COST_MEMBERS,
  },
  error: ERROR,
} satisfies Wanted

/**
 * The events that end a stream, each with the whole response (openai-openapi, ResponseStreamEvent).
 */
const ENDS = new Set<Scanned | undefined>(['response.completed', 'response.incomplete', 'response.failed'])

/**
 * Responses (openai-openapi, Response and ResponseUsage). A response that a token limit or a filter
 * has made incomplete was still billed, and counts as a success, as does a completion that ends
 * with `length`.
 */
export const RESPONSES: Api = {
  wanted: wantedNode({ ...RESPONSE, type: true, code: true, message: true, response: RESPONSE }),
  reader: (found) => (document) => {
    const type = text(document['type'])
    if (type === null) readResponse(document, found)
    else if (type === 'error') found.error ??= errorOf(document['error']) ?? errorOf(withoutType(document))
    else if (document['response'] !== undefined) readResponse(object(document['response']), found)
    else readError(document, found)
    if (ENDS.has(document['type'])) found.isEnded = true
  },
}

function withoutType({ type: _, ...members }: ScannedObject): ScannedObject {
  return members
}

function readResponse(response: ScannedObject, found: Findings): void {
  found.response_id ??= text(response['id'])
  found.response_model = text(response['model']) ?? found.response_model
  found.service_tier = text(response['service_tier']) ?? found.service_tier
  const { status, usage } = response
  if (isObject(usage)) found.usage = responseUsage(usage) ?? found.usage
  if (status === 'failed' || status === 'cancelled') {
    found.error ??= errorOf(response['error']) ?? { status: null, message: `the response ${WORDS[status]}` }
  } else {
    readError(response, found)
  }
}

const WORDS = { failed: 'failed', cancelled: 'was cancelled' }

function responseUsage(usage: ScannedObject): Usage | null {
  const input = object(usage['input_tokens_details'])
  return usageOf({
    input_tokens: count(usage['input_tokens']),
    output_tokens: count(usage['output_tokens']),
    cache_read_input_tokens: count(input['cached_tokens']),
    cache_creation_input_tokens: count(input['cache_write_tokens']),
    reasoning_output_tokens: count(object(usage['output_tokens_details'])['reasoning_tokens']),
    ...readCosts(usage),
  })
}
