import { COST_MEMBERS, readCosts } from './costs.js'
import { ERROR, readError } from './errors.js'
import { type Api, count, type Findings, isObject, object, objects, sum, text, usageOf } from './findings.js'
import type { Usage } from './observation.js'
import { type ToldObject, type Wanted, wantedNode } from './wanted.js'

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
 * Messages (anthropic-sdk-typescript, Message, RawMessageStreamEvent). A stream's `message_start` tells
 * all members of the usage. `message_delta` tells them again, counted on, and null where nothing
 * changed: so the last value that isn't null holds, and nothing is added. `message_stop` is the end.
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
    const told: ToldObject = {}
    return (document) => {
      const message = document['type'] === 'message_start' ? object(document['message']) : document
      found.response_id ??= text(message['id'])
      found.response_model = text(message['model']) ?? found.response_model
      const { usage } = message
      if (isObject(usage)) {
        for (const [name, value] of Object.entries(usage)) if (value !== null) told[name] = value
        found.usage = messageUsage(told)
        found.service_tier = tierOf(told)
      }
      if (document['type'] === 'message_stop') found.isEnded = true
      readError(document, found)
    }
  },
}

/** Fast mode has prices of its own, though its tier is the standard one (BetaUsage.speed). */
function tierOf({ speed, service_tier }: ToldObject): Findings['service_tier'] {
  return speed === 'fast' ? 'fast' : text(service_tier)
}

function messageUsage(told: ToldObject): Usage | null {
  const main = tokensOf(told)
  // Routstr has already added the cached tokens to the input (routstr-core, upstream/base.py); its
  // cost shows who it is.
  if (object(told['cost'])['total_msats'] !== undefined) main.input_tokens = count(told['input_tokens'])
  // The tokens of a compaction aren't in the usage around it (BetaUsage.iterations).
  const compactions = objects(told['iterations'])
    .filter(({ type }) => type === 'compaction')
    .map(tokensOf)
  const usage = compactions.reduce(added, main)
  return usageOf({
    ...usage,
    reasoning_output_tokens: count(object(told['output_tokens_details'])['thinking_tokens']),
    ...readCosts(told),
  })
}

type Tokens = Pick<
  Usage,
  | 'input_tokens'
  | 'output_tokens'
  | 'cache_read_input_tokens'
  | 'cache_creation_input_tokens'
  | 'cache_creation_1h_input_tokens'
>

/** `input_tokens` is all that went in here; in the answer it is what wasn't cached. */
function tokensOf(told: ToldObject): Tokens {
  const read = count(told['cache_read_input_tokens'])
  const creation = count(told['cache_creation_input_tokens'])
  return {
    input_tokens: sum(count(told['input_tokens']), read, creation),
    output_tokens: count(told['output_tokens']),
    cache_read_input_tokens: read,
    cache_creation_input_tokens: creation,
    cache_creation_1h_input_tokens: count(object(told['cache_creation'])['ephemeral_1h_input_tokens']),
  }
}

/** A sum with a part that wasn't told isn't told either. */
function added(one: Tokens, other: Tokens): Tokens {
  const names = Object.keys(one) as (keyof Tokens)[]
  return Object.fromEntries(names.map((name) => [name, sum(one[name], other[name])])) as Tokens
}
