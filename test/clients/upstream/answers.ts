// Answers in the published shapes: OpenAI's and Anthropic's OpenAPI documents, Google's discovery document.

/** An answer before it is sent: of a stream, the whole of it. */
export interface Answer {
  status: number
  headers: Record<string, string | string[]>
  body: string
}

/** What the answers below say, in the events' words. */
export const TEXT = 'Grüße, 世界! 🦉'
export const PROMPT = 'tell nobody: prompt-of-the-test'
export const KEY = 'sk-test-0123456789abcdefghijklmnop'

function json(body: object, status = 200, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body, null, 2),
  }
}

/** An event stream. `ends` are the line ends: LF, CRLF. */
export function sse(events: readonly (string | object)[], named = false, newline = '\n'): Answer {
  const text = events.map((event) => {
    if (typeof event === 'string') return event
    const name = named ? `event: ${(event as { type: string }).type}\n` : ''
    return `${name}data: ${JSON.stringify(event)}`
  })
  const body = text.map((event) => `${event}\n\n`).join('')
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
    body: body.replaceAll('\n', newline),
  }
}

/** A comment, which providers send to keep a connection open. */
export const COMMENT = ': OPENROUTER PROCESSING'

const CHAT_USAGE = {
  prompt_tokens: 19,
  completion_tokens: 10,
  total_tokens: 29,
  prompt_tokens_details: { cached_tokens: 8, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 4,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
}
/** What CHAT_USAGE means. */
export const CHAT_TOKENS = {
  input_tokens: 19,
  output_tokens: 10,
  cache_read_input_tokens: 8,
  reasoning_output_tokens: 4,
  response_model: 'gpt-4o-2024-08-06',
}

const TOOL_CALLS = [
  { index: 0, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Zürich"}' } },
]

export function chat(content: string | null = TEXT, isTool = false): Answer {
  const message = isTool
    ? { role: 'assistant', content: null, refusal: null, tool_calls: TOOL_CALLS }
    : { role: 'assistant', content, refusal: null }
  return json({
    id: 'chatcmpl-123',
    object: 'chat.completion',
    created: 1741569952,
    model: 'gpt-4o-2024-08-06',
    choices: [{ index: 0, message, logprobs: null, finish_reason: isTool ? 'tool_calls' : 'stop' }],
    usage: CHAT_USAGE,
    service_tier: 'default',
    system_fingerprint: 'fp_44709d6fcb',
  })
}

export interface ChatStream {
  /** Whether it tells its usage. @default true */
  usage?: boolean
  /** How many chunks of text. @default one for each character of TEXT */
  texts?: readonly string[]
  newline?: string
  /** Comments between the chunks. */
  comments?: boolean
  isTool?: boolean
}

export function chatStream(options: ChatStream = {}): Answer {
  const { usage = true, texts = [...TEXT], newline = '\n', comments = false, isTool = false } = options
  const chunk = (choices: object[], more: object = {}) => ({
    id: 'chatcmpl-123',
    object: 'chat.completion.chunk',
    created: 1741569952,
    model: 'gpt-4o-2024-08-06',
    service_tier: 'default',
    system_fingerprint: 'fp_44709d6fcb',
    choices,
    ...(usage ? { usage: null } : {}),
    ...more,
  })
  const choice = (delta: object, finish_reason: string | null = null) => ({
    index: 0,
    delta,
    logprobs: null,
    finish_reason,
  })
  const contents = isTool
    ? [chunk([choice({ tool_calls: TOOL_CALLS })])]
    : texts.map((content) => chunk([choice({ content })]))
  const events: (string | object)[] = [
    chunk([choice({ role: 'assistant', content: '', refusal: null })]),
    ...contents,
    chunk([choice({}, isTool ? 'tool_calls' : 'stop')]),
    ...(usage ? [chunk([], { usage: CHAT_USAGE })] : []),
    'data: [DONE]',
  ]
  return sse(comments ? events.flatMap((event) => [COMMENT, event]) : events, false, newline)
}

export function embeddings(): Answer {
  return json({
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding: [0.0023, -0.0093, 0.0157] }],
    model: 'text-embedding-3-small',
    usage: { prompt_tokens: 8, total_tokens: 8 },
  })
}

const RESPONSES_USAGE = {
  input_tokens: 36,
  input_tokens_details: { cached_tokens: 12 },
  output_tokens: 87,
  output_tokens_details: { reasoning_tokens: 40 },
  total_tokens: 123,
}
/** What RESPONSES_USAGE means. */
export const RESPONSES_TOKENS = {
  input_tokens: 36,
  output_tokens: 87,
  cache_read_input_tokens: 12,
  reasoning_output_tokens: 40,
  response_model: 'gpt-4.1-2025-04-14',
}

function response(status: string, usage: object | null) {
  const content = [{ type: 'output_text', text: TEXT, annotations: [] }]
  const output = [{ type: 'message', id: 'msg_67', status: 'completed', role: 'assistant', content }]
  return {
    id: 'resp_67',
    object: 'response',
    created_at: 1741476542,
    status,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    model: 'gpt-4.1-2025-04-14',
    output: status === 'completed' ? output : [],
    parallel_tool_calls: true,
    service_tier: 'default',
    store: true,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    usage,
    metadata: {},
  }
}

export function responses(): Answer {
  return json(response('completed', RESPONSES_USAGE))
}

export function responsesStream(): Answer {
  const at = { item_id: 'msg_67', output_index: 0, content_index: 0 }
  const events = [
    { type: 'response.created', response: response('in_progress', null) },
    ...[...TEXT].map((delta) => ({ type: 'response.output_text.delta', ...at, delta })),
    { type: 'response.output_text.done', ...at, text: TEXT },
    { type: 'response.completed', response: response('completed', RESPONSES_USAGE) },
  ]
  return sse(
    events.map((event, sequence_number) => ({ ...event, sequence_number })),
    true,
  )
}

/** What Anthropic's answers below tell: their input excludes what was read from or written to a cache. */
export const MESSAGE_TOKENS = {
  input_tokens: 25 + 1000 + 200,
  output_tokens: 15,
  cache_read_input_tokens: 1000,
  cache_creation_input_tokens: 200,
  response_model: 'claude-sonnet-4-5-20250929',
}
const MESSAGE_USAGE = {
  input_tokens: 25,
  cache_creation_input_tokens: 200,
  cache_read_input_tokens: 1000,
  cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 0 },
  service_tier: 'standard',
}

export function message(): Answer {
  return json({
    id: 'msg_01',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5-20250929',
    content: [{ type: 'text', text: TEXT }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { ...MESSAGE_USAGE, output_tokens: 15 },
  })
}

export function messageStream(): Answer {
  const start = {
    id: 'msg_01',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5-20250929',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...MESSAGE_USAGE, output_tokens: 1 },
  }
  return sse(
    [
      { type: 'message_start', message: start },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'ping' },
      ...[...TEXT].map((text) => ({
        type: 'content_block_delta',
        index: 0,
        delta: { type: 'text_delta', text },
      })),
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: 15 },
      },
      { type: 'message_stop' },
    ],
    true,
  )
}

/** What Gemini's answers below tell: its candidates exclude thoughts. */
export const GEMINI_TOKENS = {
  input_tokens: 12,
  output_tokens: 9 + 5,
  cache_read_input_tokens: 4,
  reasoning_output_tokens: 5,
  response_model: 'gemini-2.5-flash',
}

function candidates(text: string, finishReason: string | null, usage: object) {
  const content = { parts: [{ text }], role: 'model' }
  return {
    candidates: [{ content, index: 0, ...(finishReason === null ? {} : { finishReason }) }],
    usageMetadata: usage,
    modelVersion: 'gemini-2.5-flash',
    responseId: 'gemini-1',
  }
}
const GEMINI_USAGE = {
  promptTokenCount: 12,
  candidatesTokenCount: 9,
  thoughtsTokenCount: 5,
  cachedContentTokenCount: 4,
  totalTokenCount: 26,
}

export function gemini(): Answer {
  return json(candidates(TEXT, 'STOP', GEMINI_USAGE))
}

export function geminiStream(isSse: boolean): Answer {
  const texts = [...TEXT]
  const chunks = texts.map((text, at) =>
    at === texts.length - 1
      ? candidates(text, 'STOP', GEMINI_USAGE)
      : candidates(text, null, { promptTokenCount: 12, totalTokenCount: 12 }),
  )
  if (isSse) return sse(chunks, false, '\r\n')
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=UTF-8' },
    body: `[${chunks.map((chunk) => JSON.stringify(chunk, null, 2)).join('\n,\r\n')}\n]\n`,
  }
}

/** A list of models: not a call of one. */
export function models(): Answer {
  return json({ object: 'list', data: [{ id: 'gpt-4o', object: 'model' }] })
}

export function openAiError(status: number, text: string, headers: Record<string, string> = {}): Answer {
  const error = { message: text, type: 'requests', param: null, code: 'rate_limit_exceeded' }
  return json({ error }, status, headers)
}

export function anthropicError(status: number, text: string): Answer {
  return json({ type: 'error', error: { type: 'overloaded_error', message: text } }, status)
}

/** A stream that begins with 200 and then tells an error. */
export function chatStreamWithError(): Answer {
  const { headers, body } = chatStream()
  const begun = body.split('\n\n').slice(0, 3)
  const error = {
    error: { message: 'The server had an error', type: 'server_error', param: null, code: null },
  }
  return { status: 200, headers, body: `${[...begun, `data: ${JSON.stringify(error)}`].join('\n\n')}\n\n` }
}

export function messageStreamWithError(): Answer {
  const { headers, body } = messageStream()
  const begun = body.split('\n\n').slice(0, 3)
  const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
  return {
    status: 200,
    headers,
    body: `${[...begun, `event: error\ndata: ${JSON.stringify(error)}`].join('\n\n')}\n\n`,
  }
}
