import { describe, expect, test } from 'vitest'
import type { ExchangeJournal } from '../../../src/clients/exchange.js'
import { loggedFetch } from '../../../src/clients/fetch/logged-fetch.js'
import { opened } from '../../journal/support.js'
import { chat, chatStream } from '../upstream/answers.js'
import { startUpstream } from '../upstream/upstream.js'
import { CHAT_PATH, chatCall, logging, STREAM } from './support.js'

function fail(): never {
  throw new Error('a hostile journal')
}

// biome-ignore lint/suspicious/noExplicitAny: what no journal should be
const untyped = (value: unknown) => value as any

const JOURNALS: [string, ExchangeJournal][] = [
  ['throws when an attempt begins', { begin: fail, usageMissing: fail }],
  ['gives nothing when an attempt begins', untyped({ begin: () => undefined, usageMissing: fail })],
  [
    'throws in everything that an attempt does',
    untyped({
      begin: () => ({
        get correlation_id() {
          return fail()
        },
        firstByte: fail,
        complete: fail,
        fail,
      }),
      usageMissing: fail,
    }),
  ],
]

test.each([undefined, null, {}, { provider: 'openai' }])('%o in place of a journal is refused', (given) => {
  expect(() => loggedFetch(untyped(given))).toThrow(
    'loggedFetch takes a journal, as openJournal() returns it',
  )
})

describe.each(JOURNALS)('a journal that %s', (_, journal) => {
  test.each([
    ['an answer', {}, chat().body],
    ['a stream', STREAM, chatStream().body],
  ])('leaves %s as it is', async (_, more, body) => {
    const upstream = await startUpstream()
    const get = loggedFetch(journal)
    const response = await get(`${upstream.url}${CHAT_PATH}`, chatCall(more))
    expect(await response.text()).toBe(body)
  })

  test('leaves failures as they are', async () => {
    const upstream = await startUpstream()
    const get = loggedFetch(journal)
    upstream.delivery = { breakAfter: -1 }
    await expect(get(`${upstream.url}${CHAT_PATH}`, chatCall())).rejects.toThrow('fetch failed')
    upstream.delivery = { breakAfter: 100 }
    const response = await get(`${upstream.url}${CHAT_PATH}`, chatCall(STREAM))
    await expect(response.text()).rejects.toThrow('terminated')
  })
})

test('functions among the options that throw leave the call as it is, and it is logged', async () => {
  const log = await logging({ labels: fail, correlationId: fail })
  expect(await (await log.fetch(`${log.upstream.url}${CHAT_PATH}`, chatCall())).json()).toBeDefined()
  expect(log.rows()).toMatchObject([{ success: true }])
})

test('functions among the options that give something else cost no row', async () => {
  const labels = untyped(() => ({ user: null, team: 7, app: 'a\0b', tags: [] }))
  const log = await logging({ labels, correlationId: untyped(async () => 'x') })
  await (await log.fetch(`${log.upstream.url}${CHAT_PATH}`, chatCall())).json()
  expect(log.rows()).toMatchObject([{ success: true, labels: { team: '7', app: 'a\ufffdb' } }])
})

test('a fetch that throws at once, or gives no Response, is passed on as it is', async () => {
  const { journal } = opened()
  const throwing = loggedFetch(journal, { fetch: fail })
  await expect(throwing(`http://localhost${CHAT_PATH}`, chatCall())).rejects.toThrow('a hostile journal')
  const giving = loggedFetch(journal, { fetch: untyped(async () => 5) })
  expect(await giving(`http://localhost${CHAT_PATH}`, chatCall())).toBe(5)
})

test.each([
  ['a URL that is none', 'not a URL', chatCall()],
  ['headers that are none', `http://127.0.0.1:9${CHAT_PATH}`, { ...chatCall(), headers: { 'a b': 'c' } }],
  ['a GET with a body', `http://127.0.0.1:9${CHAT_PATH}`, { ...chatCall(), method: 'GET' }],
  ['nothing', undefined, undefined],
])('arguments with %s fail as they do without us', async (_, input, init) => {
  const { journal } = opened()
  const outcome = (get: typeof fetch) => get(untyped(input), init).then(String, String)
  expect(await outcome(loggedFetch(journal))).toBe(await outcome(fetch))
})

test.each([
  [
    'an unknown one',
    { povider: 'x' },
    "loggedFetch has no option 'povider'; its options are provider, policy",
  ],
  ['a provider that is a number', { provider: 5 }, 'provider: found number, expected string'],
  ['a provider without a name', { provider: '' }, 'provider: found an empty text, expected'],
  ['labels that are null', { labels: null }, 'labels: found null, expected object or function'],
  ['a fetch that is none', { fetch: 'x' }, 'fetch: found string, expected function'],
  ['a label that is a number', { labels: { user: 5 } }, 'labels.user: found number, expected string'],
  ['none at all', null, 'loggedFetch takes an options object; found null'],
])('options with %s are refused when they are given', (_, options, message) => {
  expect(() => loggedFetch(opened().journal, untyped(options))).toThrow(message)
})

describe('a body that cannot be described without consuming it', () => {
  const text = chatCall().body
  const stream = () => new Blob([text]).stream()
  const bodies: [string, () => BodyInit | undefined, string][] = [
    ['bytes', () => Buffer.from(text), 'gpt-4o'],
    ['a buffer', () => Uint8Array.from(Buffer.from(text)).buffer, 'gpt-4o'],
    [
      'a view into a buffer',
      () => new DataView(Uint8Array.from(Buffer.from(`  ${text}`)).buffer, 2),
      'gpt-4o',
    ],
    ['a stream', stream, 'unknown'],
    ['a Blob', () => new Blob([text]), 'unknown'],
  ]

  test.each(bodies)('such as %s arrives whole, and the answer says what it can', async (_, body, model) => {
    const log = await logging()
    const init = { ...chatCall(), body: body(), duplex: 'half' } as RequestInit
    await (await log.fetch(`${log.upstream.url}${CHAT_PATH}`, init)).text()
    expect(log.upstream.received[0]?.body).toBe(text)
    expect(log.rows()).toMatchObject([{ model, response_model: 'gpt-4o-2024-08-06', input_tokens: 19 }])
  })

  test('such as a Request arrives whole', async () => {
    const log = await logging()
    const request = new Request(`${log.upstream.url}${CHAT_PATH}`, chatCall(STREAM))
    await (await log.fetch(request)).text()
    expect(log.upstream.received[0]?.body).toBe(chatCall(STREAM).body)
    expect(log.rows()).toMatchObject([{ model: 'unknown', streaming: true, input_tokens: 19 }])
  })

  test('such as a form is described by its fields', async () => {
    const log = await logging()
    const form = new FormData()
    form.set('model', 'whisper-1')
    form.set('file', new Blob(['audio']), 'a.mp3')
    log.upstream.handler = () => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"text":"x"}',
    })
    const url = `${log.upstream.url}/v1/audio/transcriptions`
    await (await log.fetch(url, { method: 'POST', body: form })).text()
    expect(log.upstream.received[0]?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(log.upstream.received[0]?.body).toContain('audio')
    expect(log.rows()).toMatchObject([{ model: 'whisper-1', success: true }])
  })
})
