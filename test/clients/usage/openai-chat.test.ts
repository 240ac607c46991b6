import { expect, test } from 'vitest'
import { observe, sse } from './support.js'

const PATH = '/v1/chat/completions'
const USAGE = {
  prompt_tokens: 19,
  completion_tokens: 10,
  total_tokens: 29,
  prompt_tokens_details: { cached_tokens: 4, audio_tokens: 3 },
  completion_tokens_details: { reasoning_tokens: 6, audio_tokens: 0, accepted_prediction_tokens: 2 },
}
const TOLD = {
  input_tokens: 19,
  output_tokens: 10,
  cache_read_input_tokens: 4,
  cache_creation_input_tokens: null,
  cache_creation_1h_input_tokens: null,
  audio_input_tokens: 3,
  image_input_tokens: null,
  reasoning_output_tokens: 6,
  audio_output_tokens: 0,
  provider_cost_usd: null,
  provider_cost_sats: null,
}

function chunk(members: object): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1764230400,
    model: 'gpt-5-mini-2025-08-07',
    service_tier: 'default',
    choices: [],
    usage: null,
    ...members,
  }
}
const delta = (content: string) => chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })
const stop = chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
const STREAM = sse(
  delta('Grüße, "日本" 🚀\\'),
  delta('{"usage":{"prompt_tokens":1}}'),
  stop,
  chunk({ usage: USAGE }),
  '[DONE]',
)

test('a chat completion tells its tokens, its model, its service tier and its id', () => {
  const body = {
    id: 'chatcmpl-1',
    choices: [{ index: 0, message: { content: '{"usage":{"prompt_tokens":1}}' }, finish_reason: 'stop' }],
    model: 'gpt-5-mini-2025-08-07',
    usage: USAGE,
    service_tier: 'flex',
  }
  expect(observe({ path: PATH, body: JSON.stringify(body, null, 2) })).toEqual({
    usage: TOLD,
    response_model: 'gpt-5-mini-2025-08-07',
    service_tier: 'flex',
    response_id: 'chatcmpl-1',
    outcome: { kind: 'complete' },
  })
})

test('a streamed chat completion tells the same, wherever its bytes are cut in two', () => {
  const length = Buffer.byteLength(STREAM)
  for (let cut = 0; cut <= length; cut++) {
    expect(observe({ path: PATH, body: STREAM }, [cut])).toEqual({
      usage: TOLD,
      response_model: 'gpt-5-mini-2025-08-07',
      service_tier: 'default',
      response_id: 'chatcmpl-1',
      outcome: { kind: 'complete' },
    })
  }
})
