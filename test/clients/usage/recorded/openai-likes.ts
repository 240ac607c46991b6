import { type Recorded, sse } from '../support.js'
import { chunk, delta, stop } from './openai.js'

// Answers of servers that speak OpenAI's protocol and tell more, or other than OpenAI does. The
// sources are named beside what is read, in src/clients/usage.

const CHAT = '/api/v1/chat/completions'
const ANSWER = {
  id: 'gen-1',
  model: 'm-1',
  choices: [{ index: 0, message: { content: 'Hello' }, finish_reason: 'stop' }],
}
const NAMES = { response_model: 'm-1', response_id: 'gen-1' }
const CHUNK_NAMES = {
  response_model: 'gpt-5-mini-2025-08-07',
  service_tier: 'default',
  response_id: 'chatcmpl-1',
}
const USAGE = { prompt_tokens: 194, completion_tokens: 2, total_tokens: 196 }
const TOKENS = { input_tokens: 194, output_tokens: 2 }

function answer(usage: object): string {
  return JSON.stringify({ ...ANSWER, usage })
}

export const OPENAI_LIKES: Recorded[] = [
  {
    name: "OpenRouter's answer with its cost",
    path: CHAT,
    body: answer({
      ...USAGE,
      cost: 0.00014,
      is_byok: false,
      prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 100, audio_tokens: 0, video_tokens: 0 },
      cost_details: { upstream_inference_cost: 0.00014, upstream_inference_prompt_cost: 0.0001 },
      completion_tokens_details: { reasoning_tokens: 0, image_tokens: 0 },
    }),
    tells: {
      ...NAMES,
      usage: {
        ...TOKENS,
        cache_read_input_tokens: 0,
        cache_creation_input_tokens: 100,
        audio_input_tokens: 0,
        reasoning_output_tokens: 0,
        provider_cost_usd: 0.00014,
      },
    },
  },
  {
    name: "OpenRouter's stream for a key of one's own: its fee and the upstream's cost",
    path: CHAT,
    body:
      ': OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n' +
      sse(
        delta('Hello'),
        stop(),
        chunk({
          choices: [{ index: 0, delta: { content: '' }, finish_reason: 'stop' }],
          usage: { ...USAGE, cost: 0.25, is_byok: true, cost_details: { upstream_inference_cost: 5 } },
        }),
        '[DONE]',
      ),
    tells: { ...CHUNK_NAMES, usage: { ...TOKENS, provider_cost_usd: 5.25 } },
  },
  {
    name: "OpenRouter's fee alone, which isn't the cost",
    path: CHAT,
    body: answer({ ...USAGE, cost: 0.25, is_byok: true, cost_details: { upstream_inference_cost: null } }),
    tells: { ...NAMES, usage: TOKENS },
  },
  {
    name: "OpenRouter's error in a stream",
    path: CHAT,
    body: sse(delta('Hel'), {
      ...chunk({ choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }] }),
      error: { code: 429, message: 'Provider returned error', metadata: { provider_name: 'x' } },
    }),
    tells: {
      ...CHUNK_NAMES,
      outcome: { kind: 'error', status: 429, message: 'Provider returned error' },
    },
  },
  {
    name: 'DeepSeek, which tells the hits of its cache',
    path: '/chat/completions',
    body: answer({ ...USAGE, prompt_cache_hit_tokens: 128, prompt_cache_miss_tokens: 66 }),
    tells: { ...NAMES, usage: { ...TOKENS, cache_read_input_tokens: 128 } },
  },
  {
    name: "Groq's stream, which tells its usage in x_groq",
    path: '/openai/v1/chat/completions',
    body: sse(
      chunk({
        choices: [{ index: 0, delta: { content: 'H' }, finish_reason: null }],
        x_groq: { id: 'req_1' },
      }),
      chunk({
        choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
        service_tier: 'on_demand',
        x_groq: { id: 'req_1', usage: { ...USAGE, queue_time: 0.01, total_time: 0.1 } },
      }),
      '[DONE]',
    ),
    tells: { ...CHUNK_NAMES, service_tier: 'on_demand', usage: TOKENS },
  },
  {
    name: "Mistral's stream, which tells its usage in the last chunk",
    path: '/v1/chat/completions',
    body: sse(
      delta('Hello'),
      chunk({ choices: [{ index: 0, delta: { content: '' }, finish_reason: 'stop' }], usage: USAGE }),
      '[DONE]',
    ),
    tells: { ...CHUNK_NAMES, usage: TOKENS },
  },
  {
    name: "Moonshot's stream, which tells its usage in the choice",
    path: '/v1/chat/completions',
    body: sse(
      delta('Hello'),
      chunk({
        choices: [{ index: 0, delta: {}, finish_reason: 'stop', usage: { ...USAGE, cached_tokens: 64 } }],
      }),
      '[DONE]',
    ),
    tells: { ...CHUNK_NAMES, usage: { ...TOKENS, cache_read_input_tokens: 64 } },
  },
  {
    name: 'a stream that tells a usage with every chunk, counted on',
    path: '/v1/chat/completions',
    body: sse(
      chunk({
        choices: [{ index: 0, delta: { content: 'a' }, finish_reason: null }],
        usage: { ...USAGE, completion_tokens: 1 },
      }),
      chunk({ choices: [{ index: 0, delta: { content: 'b' }, finish_reason: 'stop' }], usage: USAGE }),
      '[DONE]',
    ),
    tells: { ...CHUNK_NAMES, usage: TOKENS },
  },
  {
    name: 'xAI, whose completion tokens leave out the reasoning, and whose cost is in ticks',
    path: '/v1/chat/completions',
    body: answer({
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 135,
      prompt_tokens_details: { text_tokens: 32, audio_tokens: 0, image_tokens: 0, cached_tokens: 6 },
      completion_tokens_details: { reasoning_tokens: 94, audio_tokens: 0 },
      num_sources_used: 0,
      cost_in_usd_ticks: 37756000,
    }),
    tells: {
      ...NAMES,
      usage: {
        input_tokens: 32,
        output_tokens: 103,
        cache_read_input_tokens: 6,
        audio_input_tokens: 0,
        image_input_tokens: 0,
        reasoning_output_tokens: 94,
        audio_output_tokens: 0,
        provider_cost_usd: 0.0037756,
      },
    },
  },
  {
    name: 'Google, whose completion tokens leave out the thoughts',
    path: '/v1beta/openai/chat/completions',
    body: answer({ prompt_tokens: 20, completion_tokens: 424, total_tokens: 1016 }),
    tells: { ...NAMES, usage: { input_tokens: 20, output_tokens: 996 } },
  },
  {
    name: 'Grok on Vertex AI, whose ticks are 0',
    path: '/v1/projects/p/locations/global/endpoints/openapi/chat/completions',
    body: answer({
      prompt_tokens: 663,
      completion_tokens: 50,
      total_tokens: 837,
      completion_tokens_details: { reasoning_tokens: 124 },
      cost_in_usd_ticks: 0,
    }),
    tells: { ...NAMES, usage: { input_tokens: 663, output_tokens: 174, reasoning_output_tokens: 124 } },
  },
  {
    name: "Google's error, which is in an array",
    path: '/v1beta/openai/chat/completions',
    status: 400,
    body: JSON.stringify([
      { error: { code: 400, message: 'API key not valid.', status: 'INVALID_ARGUMENT', details: [{}] } },
    ]),
    tells: { outcome: { kind: 'error', status: 400, message: 'INVALID_ARGUMENT: API key not valid.' } },
  },
  {
    name: 'routstr, which tells millisatoshis and dollars',
    path: '/v1/chat/completions',
    headers: { 'x-routstr-cost-msats': '1500' },
    body: answer({
      ...USAGE,
      cost: { base_msats: 0, input_msats: 1000, output_msats: 500, total_msats: 1500, total_usd: 0.0012 },
      cost_sats: 1,
      remaining_balance_msats: 9,
    }),
    tells: { ...NAMES, usage: { ...TOKENS, provider_cost_usd: 0.0012, provider_cost_sats: 1.5 } },
  },
  {
    name: "routstr's head alone, of an answer without a usage",
    path: '/v1/chat/completions',
    headers: { 'x-routstr-cost-msats': '1500', 'x-routstr-cost-usd': '0.0012' },
    body: JSON.stringify(ANSWER),
    tells: { ...NAMES, usage: { provider_cost_usd: 0.0012, provider_cost_sats: 1.5 } },
  },
  {
    name: 'arbstr, which tells satoshis in its head',
    path: '/v1/chat/completions',
    headers: { 'x-arbstr-cost-sats': '42.35', 'x-arbstr-latency-ms': '1523' },
    body: answer(USAGE),
    tells: { ...NAMES, usage: { ...TOKENS, provider_cost_sats: 42.35 } },
  },
  {
    name: "arbstr's stream, which tells satoshis in an event after [DONE]",
    path: '/v1/chat/completions',
    body: sse(
      delta('Hello'),
      stop(),
      chunk({ usage: USAGE }),
      '[DONE]',
      { arbstr: { cost_sats: 0.125, latency_ms: 1523, tier: 'local' } },
      '[DONE]',
    ),
    tells: { ...CHUNK_NAMES, usage: { ...TOKENS, provider_cost_sats: 0.125 } },
  },
  {
    name: 'members whose values are not counts, nor amounts',
    path: '/v1/chat/completions',
    body: answer({
      prompt_tokens: -1,
      completion_tokens: '12',
      prompt_tokens_details: { cached_tokens: 1.5, audio_tokens: 2 ** 53 },
      completion_tokens_details: [{ reasoning_tokens: 4 }],
      cost: -0.5,
      cost_sats: '3',
    }),
    tells: NAMES,
  },
]
