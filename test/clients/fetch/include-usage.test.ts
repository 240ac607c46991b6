import { describe, expect, test } from 'vitest'
import { CHAT_TOKENS, chatStream, TEXT } from '../upstream/answers.js'
import { CHAT_PATH, chatCall, logging } from './support.js'

const OPTIONS = '"stream_options":{"include_usage":true}'

describe('includeUsage', () => {
  test.each([
    ['whole', {}],
    ['cut at every byte', { chunkBytes: 1 }],
    ['cut at every 50th byte in gzip', { chunkBytes: 50, encoding: 'gzip' as const }],
  ])(
    'asks a stream for its tokens, and takes the chunk with them out of one that comes %s',
    async (_, delivery) => {
      const log = await logging({ includeUsage: true })
      log.upstream.delivery = delivery
      const response = await log.fetch(`${log.upstream.url}${CHAT_PATH}`, chatCall({ stream: true }))
      const text = await response.text()
      const { body } = chatStream()
      const extra = body.split('\n\n').find((event) => event.includes('"choices":[]'))
      expect(extra).toContain('"prompt_tokens":19')
      expect(text).toBe(body.replace(`${extra}\n\n`, ''))
      expect(text).toContain('data: [DONE]')
      expect(log.rows()).toMatchObject([{ success: true, ...CHAT_TOKENS }])
    },
  )

  test('changes nothing else in what is sent, down to the digits of a number', async () => {
    const log = await logging({ includeUsage: true })
    const body = `{ "model": "m", "seed": 12345678901234567890, "temperature": 1.0, "stream": true, "user": "${TEXT}" }`
    await (await log.fetch(`${log.upstream.url}${CHAT_PATH}`, { ...chatCall(), body })).text()
    expect(log.upstream.received[0]?.body).toBe(`${body.slice(0, -1)},${OPTIONS}}`)
  })

  test('adds to the options of a stream that are there', async () => {
    const log = await logging({ includeUsage: true })
    const call = chatCall({ stream: true, stream_options: { include_obfuscation: false } })
    await (await log.fetch(`${log.upstream.url}${CHAT_PATH}`, call)).text()
    expect(JSON.parse(log.upstream.received[0]?.body ?? '')).toMatchObject({
      stream_options: { include_obfuscation: false, include_usage: true },
    })
  })

  test.each([
    ['that is no stream', CHAT_PATH, {}],
    ['that asks for usage itself', CHAT_PATH, { stream: true, stream_options: { include_usage: true } }],
    ['that wants none', CHAT_PATH, { stream: true, stream_options: { include_usage: false } }],
    ['of another API', '/v1/messages', { stream: true }],
  ])('leaves a request %s, and its answer, as they are', async (_, path, more) => {
    const log = await logging({ includeUsage: true })
    const texts = await Promise.all(
      [fetch, log.fetch].map(async (get) => (await get(`${log.upstream.url}${path}`, chatCall(more))).text()),
    )
    expect(texts[1]).toBe(texts[0])
    expect(log.upstream.received.map(({ body }) => body)).toEqual([1, 2].map(() => chatCall(more).body))
  })

  test('is not done unless it is asked for', async () => {
    const log = await logging()
    await (await log.fetch(`${log.upstream.url}${CHAT_PATH}`, chatCall({ stream: true }))).text()
    expect(log.upstream.received[0]?.body).not.toContain('stream_options')
  })
})
