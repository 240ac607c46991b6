import { namedSse, type Recorded, sse, UNKNOWN_END } from '../support.js'

// Answers in the shapes of openai-openapi, and of Azure's reference of the same API.

const CHAT = '/v1/chat/completions'
const TEXT = 'Grüße, "世界" 🦉 \\ {"usage":{"prompt_tokens":1}}'

const CHAT_USAGE = {
  prompt_tokens: 19,
  completion_tokens: 10,
  total_tokens: 29,
  prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2, audio_tokens: 3 },
  completion_tokens_details: { reasoning_tokens: 6, audio_tokens: 0, rejected_prediction_tokens: 2 },
}
const CHAT_TOLD = {
  response_model: 'gpt-5-mini-2025-08-07',
  service_tier: 'default',
  response_id: 'chatcmpl-1',
  usage: {
    input_tokens: 19,
    output_tokens: 10,
    cache_read_input_tokens: 4,
    cache_creation_input_tokens: 2,
    audio_input_tokens: 3,
    reasoning_output_tokens: 6,
    audio_output_tokens: 0,
  },
}

export function chunk(members: object): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1764230400,
    model: 'gpt-5-mini-2025-08-07',
    service_tier: 'default',
    system_fingerprint: 'fp_1',
    choices: [],
    ...members,
  }
}
export const delta = (content: string, index = 0) =>
  chunk({ choices: [{ index, delta: { content }, logprobs: null, finish_reason: null }], usage: null })
export const stop = (index = 0) =>
  chunk({ choices: [{ index, delta: {}, finish_reason: 'stop' }], usage: null })

const RESPONSE = {
  id: 'resp_1',
  object: 'response',
  created_at: 1764230400,
  status: 'completed',
  error: null,
  incomplete_details: null,
  model: 'gpt-5-2025-08-07',
  output: [{ type: 'message', content: [{ type: 'output_text', text: TEXT, annotations: [] }] }],
  service_tier: 'priority',
  usage: {
    input_tokens: 36,
    input_tokens_details: { cached_tokens: 30, cache_write_tokens: 0 },
    output_tokens: 87,
    output_tokens_details: { reasoning_tokens: 64 },
    total_tokens: 123,
  },
}
const RESPONSE_TOLD = {
  response_model: 'gpt-5-2025-08-07',
  service_tier: 'priority',
  response_id: 'resp_1',
  usage: {
    input_tokens: 36,
    output_tokens: 87,
    cache_read_input_tokens: 30,
    cache_creation_input_tokens: 0,
    reasoning_output_tokens: 64,
  },
}
const begun = { ...RESPONSE, status: 'in_progress', output: [], usage: null }
const RESPONSE_BEGINS = [
  { type: 'response.created', sequence_number: 0, response: begun },
  { type: 'response.in_progress', sequence_number: 1, response: begun },
  { type: 'response.output_text.delta', sequence_number: 2, item_id: 'msg_1', delta: TEXT },
]
const BEGUN_TOLD = { ...RESPONSE_TOLD, usage: undefined } as object

export const OPENAI: Recorded[] = [
  {
    name: 'a chat completion',
    path: CHAT,
    body: JSON.stringify(
      {
        id: 'chatcmpl-1',
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: TEXT }, finish_reason: 'stop' }],
        model: 'gpt-5-mini-2025-08-07',
        usage: CHAT_USAGE,
        service_tier: 'default',
      },
      null,
      2,
    ),
    tells: CHAT_TOLD,
  },
  {
    name: 'a streamed chat completion that was asked for its usage',
    path: CHAT,
    body: sse(delta(''), delta(TEXT), stop(), chunk({ usage: CHAT_USAGE }), '[DONE]'),
    tells: CHAT_TOLD,
  },
  {
    name: 'a streamed chat completion that was not asked for its usage',
    path: CHAT,
    body: sse(delta(TEXT), stop(), '[DONE]'),
    tells: { ...CHAT_TOLD, usage: undefined } as object,
  },
  {
    name: 'a streamed chat completion of two choices, of which one has ended',
    path: CHAT,
    body: sse(delta(TEXT, 0), delta(TEXT, 1), stop(1)),
    tells: { ...CHAT_TOLD, usage: undefined, outcome: { kind: 'incomplete' } } as object,
  },
  {
    name: 'a streamed chat completion that tells its end by [DONE] alone',
    path: CHAT,
    body: sse(delta(TEXT, 0), '[DONE]'),
    tells: { ...CHAT_TOLD, usage: undefined } as object,
  },
  {
    name: 'a streamed chat completion whose last event only begins as its end does',
    path: CHAT,
    body: sse(delta(TEXT, 0), '[DON]'),
    tells: { ...CHAT_TOLD, usage: undefined, outcome: { kind: 'incomplete' } } as object,
  },
  {
    name: 'a streamed chat completion with an error in it',
    path: CHAT,
    body: sse(delta(TEXT), {
      error: { message: 'The server had an error', type: 'server_error', param: null, code: null },
    }),
    tells: {
      ...CHAT_TOLD,
      usage: undefined,
      outcome: { kind: 'error', status: null, message: 'server_error: The server had an error' },
    } as object,
  },
  {
    name: "Azure's stream, with usage after the finish_reason and without [DONE]",
    path: '/openai/deployments/my-gpt/chat/completions?api-version=2025-04-01-preview',
    body: sse(
      {
        choices: [],
        created: 0,
        id: '',
        model: '',
        object: '',
        prompt_filter_results: [
          { prompt_index: 0, content_filter_results: { hate: { filtered: false, severity: 'safe' } } },
        ],
      },
      delta(TEXT),
      stop(),
      chunk({ usage: CHAT_USAGE }),
    ),
    tells: CHAT_TOLD,
  },
  {
    name: 'a legacy completion',
    path: '/v1/completions',
    body: JSON.stringify({
      id: 'cmpl-1',
      object: 'text_completion',
      model: 'gpt-3.5-turbo-instruct',
      choices: [{ text: TEXT, index: 0, logprobs: null, finish_reason: 'length' }],
      usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
    }),
    tells: {
      response_model: 'gpt-3.5-turbo-instruct',
      response_id: 'cmpl-1',
      usage: { input_tokens: 5, output_tokens: 7 },
    },
  },
  {
    name: 'a streamed legacy completion',
    path: '/v1/completions',
    body: sse(
      { id: 'cmpl-1', model: 'm', choices: [{ text: TEXT, index: 0, finish_reason: null }], usage: null },
      { id: 'cmpl-1', model: 'm', choices: [{ text: '', index: 0, finish_reason: 'stop' }], usage: null },
      { id: 'cmpl-1', model: 'm', choices: [], usage: { prompt_tokens: 5, completion_tokens: 7 } },
      '[DONE]',
    ),
    tells: { response_model: 'm', response_id: 'cmpl-1', usage: { input_tokens: 5, output_tokens: 7 } },
  },
  { name: 'a response', path: '/v1/responses', body: JSON.stringify(RESPONSE), tells: RESPONSE_TOLD },
  {
    name: 'a response that failed',
    path: '/v1/responses',
    body: JSON.stringify({
      ...RESPONSE,
      status: 'failed',
      error: { code: 'server_error', message: 'The model failed' },
      usage: null,
    }),
    tells: {
      ...BEGUN_TOLD,
      outcome: { kind: 'error', status: null, message: 'server_error: The model failed' },
    },
  },
  {
    name: 'a streamed response',
    path: '/v1/responses',
    body: namedSse(...RESPONSE_BEGINS, { type: 'response.completed', response: RESPONSE } as never),
    tells: RESPONSE_TOLD,
  },
  {
    name: 'a streamed response that met its token limit',
    path: '/v1/responses',
    body: namedSse(...RESPONSE_BEGINS, {
      type: 'response.incomplete',
      response: {
        ...RESPONSE,
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
      },
    } as never),
    tells: RESPONSE_TOLD,
  },
  {
    name: 'a streamed response that failed',
    path: '/v1/responses',
    body: namedSse(...RESPONSE_BEGINS, {
      type: 'response.failed',
      response: {
        ...RESPONSE,
        status: 'failed',
        error: { code: 'rate_limit_exceeded', message: 'Try later' },
        usage: null,
      },
    } as never),
    tells: {
      ...BEGUN_TOLD,
      outcome: { kind: 'error', status: null, message: 'rate_limit_exceeded: Try later' },
    },
  },
  {
    name: 'a streamed response that ends in an error event',
    path: '/v1/responses',
    body: namedSse(...RESPONSE_BEGINS, {
      type: 'error',
      code: 'ERR_SOMETHING',
      message: 'Something went wrong',
      param: null,
      sequence_number: 3,
    } as never),
    tells: {
      ...BEGUN_TOLD,
      outcome: { kind: 'error', status: null, message: 'ERR_SOMETHING: Something went wrong' },
    },
  },
  {
    name: 'a streamed response that breaks off',
    path: '/v1/responses',
    body: namedSse(...RESPONSE_BEGINS),
    tells: { ...BEGUN_TOLD, outcome: { kind: 'incomplete' } },
  },
  {
    name: 'embeddings',
    path: '/v1/embeddings',
    body: JSON.stringify({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.0023064255, -0.009327292, 1e-7] }],
      model: 'text-embedding-3-small',
      usage: { prompt_tokens: 8, total_tokens: 8 },
    }),
    tells: { response_model: 'text-embedding-3-small', usage: { input_tokens: 8, output_tokens: 0 } },
  },
  {
    name: "Voyage's embeddings, which tell a total alone",
    path: '/v1/embeddings',
    body: JSON.stringify({ data: [{ embedding: 'AAAA' }], model: 'voyage-3', usage: { total_tokens: 10 } }),
    tells: { response_model: 'voyage-3', usage: { input_tokens: 10, output_tokens: 0 } },
  },
  {
    name: 'a transcription that is billed by tokens',
    path: '/v1/audio/transcriptions',
    body: JSON.stringify({
      text: TEXT,
      usage: {
        type: 'tokens',
        input_tokens: 14,
        input_token_details: { text_tokens: 4, audio_tokens: 10 },
        output_tokens: 101,
        total_tokens: 115,
      },
    }),
    tells: { usage: { input_tokens: 14, output_tokens: 101, audio_input_tokens: 10 } },
  },
  {
    name: 'a transcription that is billed by its duration',
    path: '/v1/audio/transcriptions',
    body: JSON.stringify({ text: TEXT, usage: { type: 'duration', seconds: 9 } }),
    tells: {},
  },
  {
    name: 'a transcription as subtitles',
    path: '/v1/audio/transcriptions',
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: `1\n00:00:00,000 --> 00:00:02,000\n${TEXT}\n`,
    tells: UNKNOWN_END,
  },
  {
    name: 'a streamed transcription',
    path: '/v1/audio/transcriptions',
    body: sse(
      { type: 'transcript.text.delta', delta: TEXT },
      {
        type: 'transcript.text.done',
        text: TEXT,
        usage: {
          type: 'tokens',
          input_tokens: 14,
          input_token_details: { text_tokens: 0, audio_tokens: 14 },
          output_tokens: 45,
          total_tokens: 59,
        },
      },
    ),
    tells: { usage: { input_tokens: 14, output_tokens: 45, audio_input_tokens: 14 } },
  },
  {
    name: 'speech',
    path: '/v1/audio/speech',
    headers: { 'content-type': 'audio/mpeg' },
    body: '{"usage":{"input_tokens":1}}, which is sound',
    tells: UNKNOWN_END,
  },
  {
    name: 'streamed speech',
    path: '/v1/audio/speech',
    body: sse(
      { type: 'speech.audio.delta', audio: 'UklGRg==' },
      {
        type: 'speech.audio.done',
        usage: { input_tokens: 14, output_tokens: 101, total_tokens: 115 },
      },
    ),
    tells: { usage: { input_tokens: 14, output_tokens: 101 } },
  },
  {
    name: 'an image',
    path: '/v1/images/generations',
    body: JSON.stringify({
      created: 1764230400,
      data: [{ b64_json: 'iVBORw0KGgo='.repeat(1000) }],
      usage: {
        total_tokens: 100,
        input_tokens: 50,
        output_tokens: 50,
        input_tokens_details: { text_tokens: 10, image_tokens: 40 },
      },
    }),
    tells: { usage: { input_tokens: 50, output_tokens: 50, image_input_tokens: 40 } },
  },
  {
    name: 'a streamed image',
    path: '/v1/images/edits',
    body: namedSse(
      { type: 'image_edit.partial_image', b64_json: 'iVBORw0KGgo='.repeat(100) } as never,
      {
        type: 'image_edit.completed',
        b64_json: 'iVBORw0KGgo='.repeat(100),
        usage: {
          total_tokens: 100,
          input_tokens: 50,
          output_tokens: 50,
          input_tokens_details: { text_tokens: 10, image_tokens: 40 },
        },
      } as never,
    ),
    tells: { usage: { input_tokens: 50, output_tokens: 50, image_input_tokens: 40 } },
  },
]
