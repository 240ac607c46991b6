import { COST_MEMBERS, readCosts } from './costs.js'
import { ERROR_MEMBERS, readError } from './errors.js'
import { type Api, count, object, objects, text, usageOf } from './findings.js'
import { type Told, type ToldObject, type Wanted, wantedNode } from './json-scanner.js'
import type { Usage } from './observation.js'

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

/**
 * Chat completions and legacy completions (openai-openapi, CompletionUsage), Azure's, OpenRouter's and
 * those of the many servers that speak the same protocol. A stream ends with `[DONE]`; Azure and
 * others may leave it out, so a stream whose choices have all told a `finish_reason` has ended too.
 */
export const CHAT: Api = {
  wanted: wantedNode({
    id: true,
    model: true,
    service_tier: true,
    choices: [{ index: true, finish_reason: true, usage: USAGE }],
    usage: USAGE,
    // Groq tells a stream's usage here too (groq-typescript, ChatCompletionChunk.XGroq).
    x_groq: { usage: USAGE, error: true },
    ...ERROR_MEMBERS,
  }),
  reader(found) {
    const open = new Set<Told>()
    return (document) => {
      found.response_id ??= text(document['id'])
      found.response_model = text(document['model']) ?? found.response_model
      found.service_tier = text(document['service_tier']) ?? found.service_tier
      const choices = objects(document['choices'])
      for (const choice of choices) {
        if (choice['finish_reason']) open.delete(choice['index'] ?? 0)
        else if (open.size < MAX_CHOICES) open.add(choice['index'] ?? 0)
        if (choice['finish_reason']) found.isEnded = true
      }
      if (open.size > 0) found.isEnded = false
      // The last usage wins: servers that tell one with every chunk count on. Moonshot tells it within
      // the choice.
      const usage = [document, object(document['x_groq']), ...choices].map((told) => chatUsage(told['usage']))
      found.usage = usage.find((told) => told !== null) ?? found.usage
      readError(document, found, false)
    }
  },
}

/** More choices than any server gives. */
const MAX_CHOICES = 256

function chatUsage(told: Told | undefined): Usage | null {
  const usage = object(told)
  const input = object(usage['prompt_tokens_details'])
  const output = object(usage['completion_tokens_details'])
  const reasoning = count(output['reasoning_tokens'])
  return usageOf({
    input_tokens: count(usage['prompt_tokens']),
    output_tokens: outputTokens(usage, reasoning),
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

/**
 * OpenAI's completion tokens include reasoning. xAI's don't, and its total says so: it is the sum of
 * prompt, completion and reasoning (docs.x.ai, "Reasoning").
 */
function outputTokens(usage: ToldObject, reasoning: number | null): number | null {
  const completion = count(usage['completion_tokens'])
  const input = count(usage['prompt_tokens'])
  if (completion === null || input === null || reasoning === null) return completion
  return count(usage['total_tokens']) === input + completion + reasoning ? completion + reasoning : completion
}
