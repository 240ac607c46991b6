import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import * as answers from '../upstream/answers.js'
import type { Delivery } from '../upstream/upstream.js'
import { type Logging, logging, untilEnded } from './support.js'

const MESSAGES = [{ role: 'user' as const, content: answers.PROMPT }]

type Fetch = typeof globalThis.fetch

function openai({ upstream }: Logging, fetch: Fetch, more: object = {}): OpenAI {
  return new OpenAI({ baseURL: `${upstream.url}/v1`, apiKey: answers.KEY, maxRetries: 0, ...more, fetch })
}

function anthropic({ upstream }: Logging, fetch: Fetch, more: object = {}): Anthropic {
  return new Anthropic({ baseURL: upstream.url, apiKey: answers.KEY, maxRetries: 0, ...more, fetch })
}

function google({ upstream }: Logging, fetch: Fetch): GoogleGenAI {
  return new GoogleGenAI({ apiKey: answers.KEY, httpOptions: { baseUrl: upstream.url, fetch } })
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

const CHAT = { model: 'gpt-4o', messages: MESSAGES }
const MESSAGE = { model: 'claude-next', max_tokens: 100, messages: MESSAGES }
const CLAUDE = { prompt: answers.PROMPT, maxOutputTokens: 100 }
const TOOLS = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }]

/** Each call of each client: what it gives, and the tokens that its row must have. */
const CALLS: [string, (log: Logging, fetch: Fetch) => Promise<unknown>, object][] = [
  [
    'openai: a chat completion',
    (log, fetch) => openai(log, fetch).chat.completions.create(CHAT),
    answers.CHAT_TOKENS,
  ],
  [
    'openai: a stream of a chat completion',
    async (log, fetch) =>
      collect(
        await openai(log, fetch).chat.completions.create({
          ...CHAT,
          stream: true,
          stream_options: { include_usage: true },
        }),
      ),
    answers.CHAT_TOKENS,
  ],
  [
    'openai: a chat completion with tools',
    (log, fetch) => openai(log, fetch).chat.completions.create({ ...CHAT, tools: TOOLS }),
    answers.CHAT_TOKENS,
  ],
  [
    'openai: its stream helper',
    async (log, fetch) => {
      const options = { include_usage: true }
      const stream = openai(log, fetch).chat.completions.stream({ ...CHAT, stream_options: options })
      return [await stream.finalContent(), await stream.totalUsage()]
    },
    answers.CHAT_TOKENS,
  ],
  [
    'openai: a response with its head',
    async (log, fetch) => {
      const { data, response } = await openai(log, fetch).chat.completions.create(CHAT).withResponse()
      return [data, response.status, response.url, response.headers.get('content-type')]
    },
    answers.CHAT_TOKENS,
  ],
  [
    'openai: a response',
    (log, fetch) => openai(log, fetch).responses.create({ model: 'gpt-4.1', input: answers.PROMPT }),
    answers.RESPONSES_TOKENS,
  ],
  [
    'openai: a stream of a response',
    async (log, fetch) =>
      collect(await openai(log, fetch).responses.create({ model: 'gpt-4.1', input: 'x', stream: true })),
    answers.RESPONSES_TOKENS,
  ],
  [
    'openai: embeddings',
    (log, fetch) => openai(log, fetch).embeddings.create({ model: 'text-embedding-3-small', input: 'x' }),
    { input_tokens: 8, output_tokens: 0, response_model: 'text-embedding-3-small' },
  ],
  [
    'anthropic: a message',
    (log, fetch) => anthropic(log, fetch).messages.create(MESSAGE),
    answers.MESSAGE_TOKENS,
  ],
  [
    'anthropic: a stream of a message',
    async (log, fetch) => collect(await anthropic(log, fetch).messages.create({ ...MESSAGE, stream: true })),
    answers.MESSAGE_TOKENS,
  ],
  [
    'anthropic: its stream helper',
    (log, fetch) => anthropic(log, fetch).messages.stream(MESSAGE).finalMessage(),
    answers.MESSAGE_TOKENS,
  ],
  [
    'ai with OpenAI: a text',
    async (log, fetch) => {
      const provider = createOpenAI({ baseURL: `${log.upstream.url}/v1`, apiKey: answers.KEY, fetch })
      const { text, usage } = await generateText({ model: provider.chat('gpt-4o'), prompt: answers.PROMPT })
      return [text, usage]
    },
    answers.CHAT_TOKENS,
  ],
  [
    'ai with OpenAI: a stream',
    async (log, fetch) => {
      const provider = createOpenAI({ baseURL: `${log.upstream.url}/v1`, apiKey: answers.KEY, fetch })
      const { textStream, usage } = streamText({ model: provider.chat('gpt-4o'), prompt: answers.PROMPT })
      return [await collect(textStream), await usage]
    },
    answers.CHAT_TOKENS,
  ],
  [
    'ai with Anthropic: a text',
    async (log, fetch) => {
      const provider = createAnthropic({ baseURL: `${log.upstream.url}/v1`, apiKey: answers.KEY, fetch })
      const { text, usage } = await generateText({ ...CLAUDE, model: provider('claude-next') })
      return [text, usage]
    },
    answers.MESSAGE_TOKENS,
  ],
  [
    'ai with Anthropic: a stream',
    async (log, fetch) => {
      const provider = createAnthropic({ baseURL: `${log.upstream.url}/v1`, apiKey: answers.KEY, fetch })
      const { textStream, usage } = streamText({ ...CLAUDE, model: provider('claude-next') })
      return [await collect(textStream), await usage]
    },
    answers.MESSAGE_TOKENS,
  ],
  [
    'google: a text',
    async (log, fetch) => {
      const request = { model: 'gemini-2.5-flash', contents: answers.PROMPT }
      const { text, usageMetadata } = await google(log, fetch).models.generateContent(request)
      return [text, usageMetadata]
    },
    answers.GEMINI_TOKENS,
  ],
  [
    'google: a stream',
    async (log, fetch) => {
      const request = { model: 'gemini-2.5-flash', contents: answers.PROMPT }
      const stream = await google(log, fetch).models.generateContentStream(request)
      return (await collect(stream)).map(({ text, usageMetadata }) => [text, usageMetadata])
    },
    answers.GEMINI_TOKENS,
  ],
]

const DELIVERIES: [string, Delivery][] = [
  ['whole', {}],
  ['cut at every third byte, in gzip', { chunkBytes: 3, encoding: 'gzip' }],
]

/** Without what differs by chance. */
function comparable(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (name, part) => (name === '_request_id' ? undefined : part)))
}

describe.each(CALLS)('%s', (_, call, tokens) => {
  test.each(DELIVERIES)(
    'that comes %s is what it is without us, and its tokens are logged',
    async (_, delivery) => {
      const log = await logging()
      log.upstream.delivery = delivery
      const bare = await call(log, fetch)
      const logged = await call(log, log.fetch)
      expect(comparable(logged)).toEqual(comparable(bare))
      await untilEnded(log, 1)
      expect(log.rows()).toEqual([expect.objectContaining({ success: true, error_message: null, ...tokens })])
      const [one, two] = log.upstream.received
      expect(two?.body).toEqual(one?.body)
    },
  )
})

describe("a client's retries", () => {
  test.each([
    ['429 with Retry-After', answers.openAiError(429, 'slow down', { 'retry-after-ms': '1' }), 'HTTP'],
    ['500', answers.openAiError(500, 'oops', { 'retry-after-ms': '1' }), 'HTTP'],
  ])('of openai after a %s are attempts of one request', async (_, failure) => {
    const log = await logging()
    log.upstream.answerNext(failure, failure)
    await openai(log, log.fetch, { maxRetries: 2 }).chat.completions.create(CHAT)
    const rows = log.rows()
    expect(rows.map(({ attempt, success, error_status }) => [attempt, success, error_status])).toEqual([
      [0, false, failure.status],
      [1, false, failure.status],
      [2, true, null],
    ])
    expect(new Set(rows.map(({ correlation_id }) => correlation_id)).size).toBe(1)
  })

  test('of openai after a reset are attempts of one request', async () => {
    const log = await logging()
    log.upstream.answerNext({ ...answers.chat(), delivery: { breakAfter: -1 } })
    await openai(log, log.fetch, { maxRetries: 1 }).chat.completions.create(CHAT)
    const rows = log.rows()
    expect(rows).toMatchObject([
      { attempt: 0, success: false, error_message: expect.stringMatching(/^network error/) },
      { attempt: 1, success: true, correlation_id: rows[0]?.['correlation_id'] },
    ])
  })

  test('of anthropic are attempts of one request', async () => {
    const log = await logging()
    const overloaded = answers.anthropicError(529, 'Overloaded')
    log.upstream.answerNext({ ...overloaded, headers: { ...overloaded.headers, 'retry-after-ms': '1' } })
    await anthropic(log, log.fetch, { maxRetries: 1 }).messages.create(MESSAGE)
    const rows = log.rows()
    expect(rows).toMatchObject([
      { attempt: 0, success: false, error_status: 529 },
      { attempt: 1, success: true, correlation_id: rows[0]?.['correlation_id'] },
    ])
  })

  test('of two different calls that fail at the same time stay apart', async () => {
    const log = await logging()
    const failure = answers.openAiError(500, 'oops', { 'retry-after-ms': '1' })
    log.upstream.answerNext(failure, failure)
    const client = openai(log, log.fetch, { maxRetries: 1 })
    await Promise.all(['a', 'b'].map((model) => client.chat.completions.create({ ...CHAT, model })))
    const byModel = (model: string) => log.rows().filter((row) => row['model'] === model)
    const [a, b] = [byModel('a'), byModel('b')]
    expect([a, b].map((rows) => rows.map(({ attempt }) => attempt))).toEqual([
      [0, 1],
      [0, 1],
    ])
    expect(a[0]?.['correlation_id']).toBe(a[1]?.['correlation_id'])
    expect(b[0]?.['correlation_id']).toBe(b[1]?.['correlation_id'])
    expect(a[0]?.['correlation_id']).not.toBe(b[0]?.['correlation_id'])
  })

  test('share the idempotency-key, and an id that the caller gives goes first', async () => {
    const log = await logging()
    const client = openai(log, log.fetch)
    await client.chat.completions.create(CHAT, { headers: { 'idempotency-key': 'key-1' } })
    expect(log.rows()).toMatchObject([{ correlation_id: 'key-1' }])
    const byHeader = await logging({ correlationId: ({ header }) => header('x-request') ?? undefined })
    const headers = { 'idempotency-key': 'key-1', 'x-request': 'own' }
    await openai(byHeader, byHeader.fetch).chat.completions.create(CHAT, { headers })
    expect(byHeader.rows()).toMatchObject([{ correlation_id: 'own' }])
  })
})

describe('a client that leaves', () => {
  const STREAM = { ...CHAT, stream: true as const, stream_options: { include_usage: true } }

  test('the loop over a stream is aborted by the client', async () => {
    const log = await logging()
    log.upstream.delivery = { chunkBytes: 200, pauseMs: 5 }
    for await (const _ of await openai(log, log.fetch).chat.completions.create(STREAM)) break
    for await (const _ of await anthropic(log, log.fetch).messages.create({ ...MESSAGE, stream: true })) break
    await untilEnded(log, 2)
    const aborted = { success: false, error_status: null, error_message: 'aborted by the client' }
    expect(log.rows()).toMatchObject([aborted, aborted])
  })

  test('by its AbortController is logged as aborted', async () => {
    const log = await logging()
    log.upstream.delivery = { chunkBytes: 200, pauseMs: 5 }
    const controller = new AbortController()
    const stream = await openai(log, log.fetch).chat.completions.create(STREAM, { signal: controller.signal })
    for await (const _ of stream) controller.abort()
    expect(log.rows()).toMatchObject([{ success: false, error_message: 'aborted by the client' }])
  })

  test('by its own time-out is logged as a time-out', async () => {
    const log = await logging()
    log.upstream.delivery = { stallAfter: -1 }
    const call = openai(log, log.fetch, { timeout: 100 }).chat.completions.create(CHAT)
    await expect(call).rejects.toThrow('timed out')
    expect(log.rows()).toMatchObject([
      { success: false, error_message: expect.stringMatching(/^timed out before the answer began/) },
    ])
  })
})
