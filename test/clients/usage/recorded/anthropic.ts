import { namedSse, type Recorded } from '../support.js'

// Answers in the shapes of anthropic-sdk-typescript (Message, RawMessageStreamEvent, ErrorResponse).

const PATH = '/v1/messages'
const USAGE = {
  input_tokens: 25,
  cache_creation_input_tokens: 300,
  cache_read_input_tokens: 4000,
  cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 100 },
  output_tokens: 150,
  output_tokens_details: { thinking_tokens: 90 },
  server_tool_use: null,
  service_tier: 'standard',
}
const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-5-20250929',
  content: [{ type: 'text', text: '{"usage":{"input_tokens":1}} 🦉' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: USAGE,
}
const NAMES = {
  response_model: 'claude-sonnet-4-5-20250929',
  service_tier: 'standard',
  response_id: 'msg_1',
}
const TOKENS = {
  input_tokens: 4325,
  output_tokens: 150,
  cache_read_input_tokens: 4000,
  cache_creation_input_tokens: 300,
  cache_creation_1h_input_tokens: 100,
  reasoning_output_tokens: 90,
}

const START = {
  type: 'message_start',
  message: {
    ...MESSAGE,
    content: [],
    stop_reason: null,
    usage: { ...USAGE, output_tokens: 1, output_tokens_details: null },
  },
}
const STARTED_TOKENS = { ...TOKENS, output_tokens: 1, reasoning_output_tokens: null }
const CONTENT = [
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'ping' },
  {
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'text_delta', text: 'Grüße {"usage":{"input_tokens":1}}' },
  },
  { type: 'content_block_stop', index: 0 },
]
const STOP = { type: 'message_stop' }
function messageDelta(usage: object): { type: string } {
  return {
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage,
  } as { type: string }
}

export const ANTHROPIC: Recorded[] = [
  { name: 'a message', path: PATH, body: JSON.stringify(MESSAGE), tells: { ...NAMES, usage: TOKENS } },
  {
    name: 'a streamed message whose delta tells its output alone',
    path: PATH,
    body: namedSse(
      START,
      ...CONTENT,
      messageDelta({ output_tokens: 150, output_tokens_details: { thinking_tokens: 90 } }),
      STOP,
    ),
    tells: { ...NAMES, usage: TOKENS },
  },
  {
    name: 'a streamed message whose deltas tell all members again, some of them null',
    path: PATH,
    body: namedSse(
      START,
      ...CONTENT,
      messageDelta({
        input_tokens: 20,
        cache_creation_input_tokens: null,
        cache_read_input_tokens: 4100,
        output_tokens: 80,
        output_tokens_details: { thinking_tokens: 50 },
      }),
      messageDelta({
        input_tokens: null,
        cache_creation_input_tokens: null,
        cache_read_input_tokens: 4200,
        output_tokens: 160,
        output_tokens_details: { thinking_tokens: 95 },
      }),
      STOP,
    ),
    tells: {
      ...NAMES,
      usage: {
        input_tokens: 4520,
        output_tokens: 160,
        cache_read_input_tokens: 4200,
        cache_creation_input_tokens: 300,
        cache_creation_1h_input_tokens: 100,
        reasoning_output_tokens: 95,
      },
    },
  },
  {
    name: 'a streamed message that is overloaded',
    path: PATH,
    body: namedSse(START, ...CONTENT.slice(0, 3), {
      type: 'error',
      error: { type: 'overloaded_error', message: 'Overloaded' },
      request_id: 'req_1',
    } as never),
    tells: {
      ...NAMES,
      usage: STARTED_TOKENS,
      outcome: { kind: 'error', status: null, message: 'overloaded_error: Overloaded' },
    },
  },
  {
    name: 'a streamed message that breaks off',
    path: PATH,
    body: namedSse(START, ...CONTENT),
    tells: { ...NAMES, usage: STARTED_TOKENS, outcome: { kind: 'incomplete' } },
  },
  {
    name: 'a message without caches, in fast mode',
    path: `${PATH}?beta=true`,
    body: JSON.stringify({
      ...MESSAGE,
      usage: {
        input_tokens: 25,
        output_tokens: 150,
        cache_read_input_tokens: 0,
        cache_creation_input_tokens: null,
        service_tier: 'standard',
        speed: 'fast',
      },
    }),
    tells: {
      ...NAMES,
      service_tier: 'fast',
      usage: { input_tokens: 25, output_tokens: 150, cache_read_input_tokens: 0 },
    },
  },
  {
    name: "a message with a compaction, whose tokens aren't in the usage around it",
    path: `${PATH}?beta=true`,
    body: JSON.stringify({
      ...MESSAGE,
      usage: {
        ...USAGE,
        iterations: [
          {
            type: 'compaction',
            input_tokens: 1000,
            output_tokens: 50,
            cache_read_input_tokens: 10,
            cache_creation_input_tokens: 0,
            cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
          },
          { type: 'message', ...USAGE },
        ],
      },
    }),
    tells: {
      ...NAMES,
      usage: { ...TOKENS, input_tokens: 5335, output_tokens: 200, cache_read_input_tokens: 4010 },
    },
  },
  {
    name: 'a message from Vertex AI',
    path: '/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict',
    body: JSON.stringify(MESSAGE),
    tells: { ...NAMES, usage: TOKENS },
  },
  {
    name: 'a message through routstr, which has added the cached tokens to the input',
    path: PATH,
    body: JSON.stringify({
      ...MESSAGE,
      usage: { ...USAGE, input_tokens: 4325, cost: { total_msats: 2500 }, cost_sats: 2 },
    }),
    tells: { ...NAMES, usage: { ...TOKENS, provider_cost_sats: 2.5 } },
  },
  {
    name: 'an error',
    path: PATH,
    status: 529,
    body: JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
    tells: { outcome: { kind: 'error', status: 529, message: 'overloaded_error: Overloaded' } },
  },
]
