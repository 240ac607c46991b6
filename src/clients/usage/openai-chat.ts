import { COST_MEMBERS, readCosts } from './costs.js'
import { type Api, type Findings, usageOf } from './findings.js'
import type { Usage } from './observation.js'
import { ERROR, readError } from './provider-errors.js'
import { amount, count, isObject, object, objects, sum, text } from './values.js'
import { type Scanned, type ScannedObject, type Wanted, wantedNode } from './wanted-members.js'

const USAGE = {
  prompt_tokens: true,
  completion_tokens: true,
  total_tokens: true,
  prompt_tokens_details: {
    cached_tokens: true,
    cache_write_tokens: true,
    audio_tokens: true,
    image_tokens: true,
  },
  completion_tokens_details: { reasoning_tokens: true, audio_tokens: true },
  // DeepSeek: the part of the prompt that hit its cache (api-docs.deepseek.com, "Context Caching").
  prompt_cache_hit_tokens: true,
  // Moonshot: the same (platform.moonshot.ai, "Chat").
  cached_tokens: true,
  ...COST_MEMBERS,
} satisfies Wanted

const WANTED = wantedNode({
  id: true,
  model: true,
  service_tier: true,
  // Moonshot reports a stream's usage within the choice (platform.moonshot.ai, "Chat").
  choices: [{ index: true, finish_reason: true, usage: USAGE }],
  usage: USAGE,
  // Groq reports it here too (groq-typescript, ChatCompletionChunk.XGroq).
  x_groq: { usage: USAGE, error: true },
  // Arbstr's last event (arbstr, proxy/handlers.rs).
  arbstr: { cost_sats: true },
  error: ERROR,
})

/**
 * Chat completions and legacy completions: OpenAI's (openai-openapi, CompletionUsage), Azure's,
 * OpenRouter's and those of the many servers that speak the same protocol. A stream ends with
 * `[DONE]`. Azure and others may leave that out, so a stream has also ended once every choice has a
 * `finish_reason`.
 */
export const CHAT: Api = { wanted: WANTED, reader: (found) => chatReader(found, outputTokens) }

/**
 * The same protocol as Google serves it. Its completion tokens leave out the thoughts, which only
 * the total includes (github.com/vercel/ai, issue 6082).
 */
export const GOOGLE_CHAT: Api = { wanted: WANTED, reader: (found) => chatReader(found, totalOutputTokens) }

function chatReader(found: Findings, outputOf: OutputOf): (document: ScannedObject) => void {
  const open = new Set<Scanned>()
  let arbstrSats: number | null = null
  return (document) => {
    found.response_id ??= text(document['id'])
    found.response_model = text(document['model']) ?? found.response_model
    found.service_tier = text(document['service_tier']) ?? found.service_tier
    const choices = objects(document['choices'])
    for (const choice of choices) {
      const index = choice['index'] ?? 0
      if (choice['finish_reason']) open.delete(index)
      else if (open.size < MAX_CHOICES) open.add(index)
      if (choice['finish_reason']) found.isEnded = true
    }
    if (open.size > 0) found.isEnded = false
    // The last usage wins: in servers that send one with every chunk, it is the running total.
    const groq = object(document['x_groq'])
    const usage = document['usage'] ?? groq['usage'] ?? choices.find(hasUsage)?.['usage']
    if (isObject(usage)) found.usage = chatUsage(usage, outputOf) ?? found.usage
    arbstrSats = amount(object(document['arbstr'])['cost_sats']) ?? arbstrSats
    if (arbstrSats !== null) found.usage = usageOf({ ...found.usage, provider_cost_sats: arbstrSats })
    readError(document, found)
    readError(groq, found)
  }
}

function hasUsage(choice: ScannedObject): boolean {
  return isObject(choice['usage'])
}

/** More choices than any server returns. It bounds the memory that a hostile one can take. */
const MAX_CHOICES = 256

function chatUsage(usage: ScannedObject, outputOf: OutputOf): Usage | null {
  const input = object(usage['prompt_tokens_details'])
  const output = object(usage['completion_tokens_details'])
  const reasoning = count(output['reasoning_tokens'])
  return usageOf({
    input_tokens: count(usage['prompt_tokens']),
    output_tokens: outputOf(usage, reasoning),
    cache_read_input_tokens:
      count(input['cached_tokens']) ??
      count(usage['prompt_cache_hit_tokens']) ??
      count(usage['cached_tokens']),
    cache_creation_input_tokens: count(input['cache_write_tokens']),
    audio_input_tokens: count(input['audio_tokens']),
    image_input_tokens: count(input['image_tokens']),
    reasoning_output_tokens: reasoning,
    audio_output_tokens: count(output['audio_tokens']),
    ...readCosts(usage),
  })
}

/** Returns the number of all output tokens. `reasoning` is null if it wasn't reported. */
type OutputOf = (usage: ScannedObject, reasoning: number | null) => number | null

/**
 * OpenAI's completion tokens include reasoning. xAI's don't, and its total says so: it is the sum
 * of prompt, completion and reasoning (docs.cloud.google.com, "Grok: Reasoning").
 */
function outputTokens(usage: ScannedObject, reasoning: number | null): number | null {
  const completion = count(usage['completion_tokens'])
  const all = sum(completion, reasoning)
  return all !== null && sum(all, count(usage['prompt_tokens'])) === count(usage['total_tokens'])
    ? all
    : completion
}

function totalOutputTokens(usage: ScannedObject): number | null {
  const completion = count(usage['completion_tokens'])
  const input = count(usage['prompt_tokens'])
  const total = count(usage['total_tokens'])
  if (total === null || input === null) return completion
  return completion === null ? count(total - input) : Math.max(completion, total - input)
}
