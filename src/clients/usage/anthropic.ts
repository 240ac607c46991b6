import { COST_MEMBERS, readCosts } from './costs.js'
import { type Api, type Findings, usageOf } from './findings.js'
import type { Usage } from './observation.js'
import { ERROR, readError } from './provider-errors.js'
import { count, isObject, object, objects, sum, text } from './values.js'
import { type ScannedObject, type Wanted, wantedNode } from './wanted-members.js'

const TOKENS = {
  input_tokens: true,
  output_tokens: true,
  cache_read_input_tokens: true,
  cache_creation_input_tokens: true,
  cache_creation: { ephemeral_1h_input_tokens: true },
} satisfies Wanted

const USAGE = {
  ...TOKENS,
  output_tokens_details: { thinking_tokens: true },
  service_tier: true,
  speed: true,
  iterations: [{ type: true, ...TOKENS }],
  ...COST_MEMBERS,
} satisfies Wanted

/**
 * Messages (anthropic-sdk-typescript, Message, RawMessageStreamEvent). A stream's `message_start`
 * has all members of the usage. `message_delta` has them again as running totals, or null if
 * nothing changed: so the last value that isn't null counts, and nothing is added up.
 * `message_stop` is the end.
 */
export const ANTHROPIC: Api = {
  wanted: wantedNode({
    type: true,
    id: true,
    model: true,
    usage: USAGE,
    message: { id: true, model: true, usage: USAGE },
    error: ERROR,
  }),
  reader(found) {
    const latest: ScannedObject = {}
    return (document) => {
      const message = document['type'] === 'message_start' ? object(document['message']) : document
      found.response_id ??= text(message['id'])
      found.response_model = text(message['model']) ?? found.response_model
      const { usage } = message
      if (isObject(usage)) {
        for (const [name, value] of Object.entries(usage)) if (value !== null) latest[name] = value
        found.usage = messageUsage(latest)
        found.service_tier = tierOf(latest)
      }
      if (document['type'] === 'message_stop') found.isEnded = true
      readError(document, found)
    }
  },
}

/** Fast mode counts as a tier, since it has its own prices (BetaUsage.speed). */
function tierOf({ speed, service_tier }: ScannedObject): Findings['service_tier'] {
  return speed === 'fast' ? 'fast' : text(service_tier)
}

function messageUsage(usage: ScannedObject): Usage | null {
  const main = tokensOf(usage)
  // Routstr, which the form of its cost reveals, has already added the cached tokens to the input
  // (routstr-core, upstream/base.py).
  if (object(usage['cost'])['total_msats'] !== undefined) main.input_tokens = count(usage['input_tokens'])
  // The usage doesn't include the tokens of its compactions (BetaUsage.iterations).
  const compactions = objects(usage['iterations'])
    .filter(({ type }) => type === 'compaction')
    .map(tokensOf)
  return usageOf({
    ...compactions.reduce(sumOf, main),
    reasoning_output_tokens: count(object(usage['output_tokens_details'])['thinking_tokens']),
    ...readCosts(usage),
  })
}

type Tokens = ReturnType<typeof tokensOf>

/** In the journal `input_tokens` includes cached tokens; in the answer it doesn't. */
function tokensOf(usage: ScannedObject) {
  const read = count(usage['cache_read_input_tokens'])
  const creation = count(usage['cache_creation_input_tokens'])
  return {
    input_tokens: sum(count(usage['input_tokens']), read, creation),
    output_tokens: count(usage['output_tokens']),
    cache_read_input_tokens: read,
    cache_creation_input_tokens: creation,
    cache_creation_1h_input_tokens: count(object(usage['cache_creation'])['ephemeral_1h_input_tokens']),
  }
}

/** Adds up tokens of each kind. A kind that `one` doesn't know stays unknown. */
function sumOf(one: Tokens, other: Tokens): Tokens {
  const names = Object.keys(one) as (keyof Tokens)[]
  return Object.fromEntries(names.map((name) => [name, sum(one[name], other[name])])) as Tokens
}
