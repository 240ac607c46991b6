import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { loggedFetch } from '../../../src/clients/fetch/logged-fetch.js'
import { opened, readSegment, textOf } from '../../journal/support.js'
import * as answers from '../upstream/answers.js'
import { CHAT_PATH, chatCall, type Logging, logging, STREAM, untilEnded } from './support.js'

/** Reads the body, or says why it couldn't be read. */
async function read(response: Response): Promise<string> {
  return response.text().catch((error: Error) => `${error.name}: ${error.message}`)
}

function post({ upstream, fetch }: Logging, more: object = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(`${upstream.url}${CHAT_PATH}`, { ...chatCall(more), ...init })
}

const UNKNOWN_TOKENS = { input_tokens: null, output_tokens: null }

describe('a call that succeeds', () => {
  test('is logged with the tokens of its answer, when the client has read it', async () => {
    const log = await logging({ provider: 'east', policy: 'cheap', labels: { team: 'search' } })
    const response = await post(log)
    expect(log.events()).toEqual([])
    await response.json()
    expect(log.events()).toEqual([
      expect.objectContaining({
        type: 'request_logged',
        model: 'gpt-4o',
        provider: 'east',
        policy: 'cheap',
        labels: { team: 'search' },
        streaming: false,
        success: true,
        error_status: null,
        error_message: null,
        ...answers.CHAT_TOKENS,
        service_tier: 'default',
      }),
    ])
  })

  test('is seen from its first byte on if it is a stream', async () => {
    const log = await logging()
    log.upstream.delivery = { stallAfter: 300 }
    const response = await post(log, STREAM)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    expect(log.events()).toMatchObject([
      { type: 'request_logged', streaming: true, success: true, ...UNKNOWN_TOKENS },
    ])
    await reader.cancel()
  })

  test.each([
    ['whole', {}],
    ['cut at every byte', { chunkBytes: 1 }],
    ['in gzip', { encoding: 'gzip' as const }],
    ['in brotli, cut at every third byte', { encoding: 'br' as const, chunkBytes: 3 }],
  ])('is logged with the tokens of its stream, which comes %s', async (_, delivery) => {
    const log = await logging()
    log.upstream.delivery = delivery
    await read(await post(log, STREAM))
    expect(log.rows()).toEqual([
      expect.objectContaining({ ...answers.CHAT_TOKENS, streaming: true, success: true, isEnded: true }),
    ])
  })

  test.each([
    ['CRLF', { newline: '\r\n' }],
    ['comments between its events', { comments: true }],
    ['calls of tools', { isTool: true }],
  ])('is logged with the tokens of its stream, which has %s', async (_, options) => {
    const log = await logging()
    log.upstream.answerNext({ ...answers.chatStream(options), delivery: { chunkBytes: 5 } })
    await read(await post(log, STREAM))
    expect(log.rows()).toEqual([expect.objectContaining({ ...answers.CHAT_TOKENS, success: true })])
  })

  test('is logged without tokens, counted and warned of once, if its stream tells none', async () => {
    const log = await logging()
    for (let i = 0; i < 3; i++) await read(await post(log, { stream: true }))
    expect(log.rows()).toMatchObject([1, 2, 3].map(() => ({ success: true, ...UNKNOWN_TOKENS })))
    expect(log.journal.counters.usage_missing).toBe(3)
    expect(log.logger.messages).toEqual([expect.stringContaining('include_usage: true')])
  })

  test('is a success if the client leaves, or the connection breaks, after the end of its stream', async () => {
    const log = await logging()
    const { length } = Buffer.from(answers.chatStream().body)
    log.upstream.delivery = { stallAfter: length }
    const response = await post(log, STREAM)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    for (let seen = 0; seen < length; ) seen += (await reader.read()).value?.length ?? 0
    await reader.cancel()
    expect(log.rows()).toMatchObject([{ success: true, ...answers.CHAT_TOKENS }])
  })

  test('is not logged if it asks no model', async () => {
    const log = await logging()
    await read(await log.fetch(`${log.upstream.url}/v1/models`))
    expect(log.events()).toEqual([])
  })
})

describe('a call that the provider refuses', () => {
  test.each([
    [429, 'slow down'],
    [500, 'The server had an error'],
  ])('with %i is logged with the status and what the provider says', async (status, text) => {
    const log = await logging()
    log.upstream.answerNext(answers.openAiError(status, text))
    await read(await post(log))
    expect(log.rows()).toMatchObject([
      { success: false, error_status: status, error_message: `rate_limit_exceeded: ${text}` },
    ])
    expect(log.journal.counters.usage_missing).toBe(0)
  })

  test('is logged with the status if the client does not read why', async () => {
    const log = await logging()
    log.upstream.answerNext(answers.openAiError(429, 'slow down'))
    await (await post(log)).body?.cancel()
    expect(log.rows()).toMatchObject([
      { success: false, error_status: 429, error_message: expect.any(String) },
    ])
  })

  test('is logged without the secrets in what the provider says', async () => {
    const log = await logging()
    log.upstream.answerNext(answers.openAiError(401, `Incorrect API key provided: ${answers.KEY}`))
    await read(await post(log))
    expect(JSON.stringify(log.rows())).not.toContain(answers.KEY)
    expect(log.rows()).toMatchObject([{ error_message: expect.stringContaining('Incorrect API key') }])
  })
})

describe('a call that breaks', () => {
  test('before an answer, is a network error with its code', async () => {
    const log = await logging()
    log.upstream.delivery = { breakAfter: -1 }
    await expect(post(log)).rejects.toThrow('fetch failed')
    const { url } = log.upstream
    await log.upstream.close()
    await expect(log.fetch(`${url}${CHAT_PATH}`, chatCall())).rejects.toThrow('fetch failed')
    expect(log.rows()).toMatchObject([
      {
        success: false,
        error_status: null,
        error_message: expect.stringMatching(/^network error: no answer: other side closed/),
      },
      { success: false, error_status: null, error_message: expect.stringContaining('ECONNREFUSED') },
    ])
  })

  test('in its stream, is stream_incomplete, with what was reported before', async () => {
    const log = await logging()
    log.upstream.delivery = { breakAfter: 500 }
    expect(await read(await post(log, STREAM))).toContain('terminated')
    expect(log.rows()).toMatchObject([
      {
        success: false,
        error_status: null,
        error_message: expect.stringMatching(/^stream_incomplete: it broke off: terminated/),
        response_model: 'gpt-4o-2024-08-06',
        ...UNKNOWN_TOKENS,
      },
    ])
  })

  test('in its answer, fails, and says so', async () => {
    const log = await logging()
    log.upstream.delivery = { breakAfter: 100 }
    await read(await post(log))
    expect(log.rows()).toMatchObject([
      { success: false, error_message: expect.stringMatching(/^answer incomplete: it broke off/) },
    ])
  })

  test('by an end of the stream that is none, is stream_incomplete', async () => {
    const log = await logging()
    const { headers, body } = answers.chatStream()
    for (const part of [body.slice(0, 500), '']) {
      log.upstream.answerNext({ status: 200, headers, body: part })
      await read(await post(log, STREAM))
    }
    const incomplete = { success: false, error_message: 'stream_incomplete: it ended before its last part' }
    expect(log.rows()).toMatchObject([incomplete, incomplete])
  })

  test('by an error within a stream that began with 200, fails with that error', async () => {
    const log = await logging()
    log.upstream.answerNext(answers.chatStreamWithError(), answers.messageStreamWithError())
    await read(await post(log, STREAM))
    await read(await log.fetch(`${log.upstream.url}/v1/messages`, chatCall({ stream: true })))
    expect(log.rows()).toMatchObject([
      { success: false, streaming: true, error_message: 'server_error: The server had an error' },
      { success: false, streaming: true, error_message: 'overloaded_error: Overloaded' },
    ])
  })
})

describe('a call that takes too long', () => {
  test('before its answer, timed out', async () => {
    const log = await logging()
    log.upstream.delivery = { stallAfter: -1 }
    const failure = post(log, {}, { signal: AbortSignal.timeout(30) })
    await expect(failure).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(log.rows()).toMatchObject([
      {
        success: false,
        error_status: null,
        error_message: expect.stringMatching(/^timed out before the answer/),
      },
    ])
  })

  test('in its stream, timed out, whether or not the client is reading', async () => {
    const log = await logging()
    log.upstream.delivery = { stallAfter: 500 }
    const response = await post(log, STREAM, { signal: AbortSignal.timeout(100) })
    expect(await read(response)).toContain('TimeoutError')
    const unread = await post(log, STREAM, { signal: AbortSignal.timeout(100) })
    await untilEnded(log, 2)
    expect(await read(unread)).toContain('TimeoutError')
    const [first, second] = log.rows()
    expect(first).toMatchObject({
      success: false,
      error_message: expect.stringMatching(/^stream_incomplete: timed out/),
    })
    expect(second).toMatchObject({ success: false, error_message: expect.stringContaining('timed out') })
  })

  test("by a timer that aborts, as the SDKs' are, timed out", async () => {
    const log = await logging()
    log.upstream.delivery = { stallAfter: -1 }
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 20)
    await expect(post(log, {}, { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' })
    const forwarded = new AbortController()
    const users = new AbortController()
    users.signal.addEventListener('abort', () => forwarded.abort())
    setTimeout(() => users.abort(), 20)
    await expect(post(log, {}, { signal: forwarded.signal })).rejects.toMatchObject({ name: 'AbortError' })
    expect(log.rows()).toMatchObject([
      { error_message: 'timed out before the answer began' },
      { error_message: 'aborted by the client before the answer began' },
    ])
  })

  test('leaves nothing on a signal that outlives its call', async () => {
    const log = await logging()
    const left = async (get: typeof fetch) => {
      const { signal } = new AbortController()
      const call = () => get(`${log.upstream.url}${CHAT_PATH}`, { ...chatCall(STREAM), signal })
      await (await call()).text()
      await (await call()).body?.cancel()
      return getEventListeners(signal, 'abort').length
    }
    // The listeners of fetch itself.
    expect(await left(log.fetch)).toBe(await left(fetch))
  })
})

describe('a client that aborts', () => {
  test('before the answer is logged as such, with its reason', async () => {
    const log = await logging()
    log.upstream.delivery = { stallAfter: -1 }
    for (const reason of [undefined, new Error('the user left')]) {
      const controller = new AbortController()
      const failure = post(log, {}, { signal: controller.signal })
      while (log.upstream.received.length === 0) await sleep(1)
      controller.abort(reason)
      await expect(failure).rejects.toThrow()
    }
    expect(log.rows()).toMatchObject([
      { success: false, error_message: 'aborted by the client before the answer began' },
      { success: false, error_message: 'aborted by the client before the answer began: the user left' },
    ])
  })

  test('in a stream gets the error of fetch alone, and is logged at once', async () => {
    const log = await logging()
    log.upstream.delivery = { stallAfter: 500 }
    const controller = new AbortController()
    const response = await post(log, STREAM, { signal: controller.signal })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    const reason = new Error('the user left')
    controller.abort(reason)
    await expect(reader.closed).rejects.toBe(reason)
    await expect(reader.read()).rejects.toBe(reason)
    expect(log.rows()).toMatchObject([
      { success: false, error_message: 'aborted by the client: the user left', streaming: true },
    ])
  })

  test('by breaking out of its loop is logged as such, and the upstream notices', async () => {
    const log = await logging()
    log.upstream.delivery = { chunkBytes: 100, pauseMs: 5 }
    const response = await post(log, STREAM)
    for await (const _ of response.body as unknown as AsyncIterable<Uint8Array>) break
    expect(log.rows()).toMatchObject([{ success: false, error_message: 'aborted by the client' }])
    while (log.upstream.brokenOff === 0) await sleep(1)
  })

  test('in the stream of an unknown API, whose end nothing shows, is logged as such', async () => {
    const log = await logging()
    log.upstream.answerNext({ ...answers.chatStream(), delivery: { stallAfter: 300 } })
    const response = await log.fetch(`${log.upstream.url}/v2/chat`, chatCall(STREAM))
    for await (const _ of response.body as unknown as AsyncIterable<Uint8Array>) break
    expect(log.rows()).toMatchObject([{ success: false, error_message: 'aborted by the client' }])
  })

  test('ends a body that fetch itself leaves hanging', async () => {
    const log = opened()
    const hanging = async () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }))
    const controller = new AbortController()
    const response = await loggedFetch(log.journal, { fetch: hanging })(`http://x${CHAT_PATH}`, {
      ...chatCall(),
      signal: controller.signal,
    })
    const text = response.text()
    controller.abort(new Error('the user left'))
    await expect(text).rejects.toThrow('the user left')
    expect(readSegment(Buffer.from(textOf(log.directory)))).toMatchObject([
      { success: false, error_message: 'aborted by the client: the user left' },
    ])
  })

  test('with a signal that was aborted before is logged as such', async () => {
    const log = await logging()
    await expect(post(log, {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    expect(log.upstream.received).toEqual([])
    expect(log.rows()).toMatchObject([{ success: false, error_message: expect.stringContaining('aborted') }])
  })
})

test('what is written holds neither prompt nor answer nor key', async () => {
  const log = await logging({ responseIdLabel: 'response' })
  await read(await post(log))
  await read(await post(log, STREAM))
  log.upstream.delivery = { breakAfter: 600 }
  await read(await post(log, STREAM))
  const text = JSON.stringify(log.events())
  for (const secret of [answers.PROMPT, answers.KEY, ...answers.TEXT.split(' ')])
    expect(text).not.toContain(secret)
  // The id was asked for.
  expect(log.rows()).toMatchObject([1, 2, 3].map(() => ({ labels: { response: 'chatcmpl-123' } })))
})

test.each([
  ['https://api.openai.com', 'openai'],
  ['https://my-team.openai.azure.com', 'azure'],
  ['https://api.anthropic.com', 'anthropic'],
  ['https://generativelanguage.googleapis.com', 'google'],
  ['https://notopenai.com', 'notopenai.com'],
  ['http://127.0.0.1:8080', '127.0.0.1'],
])('a call to %s is one of the provider %s', async (origin, provider) => {
  const log = opened()
  const get = loggedFetch(log.journal, { fetch: async () => new Response(answers.chat().body) })
  await (await get(`${origin}${CHAT_PATH}`, chatCall())).text()
  expect(readSegment(Buffer.from(textOf(log.directory)))).toMatchObject([{ provider }])
})
