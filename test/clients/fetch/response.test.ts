import { Readable } from 'node:stream'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { loggedFetch } from '../../../src/clients/fetch/logged-fetch.js'
import { opened, readSegment, textOf } from '../../journal/support.js'
import { chat, chatStream, openAiError, TEXT } from '../upstream/answers.js'
import { CHAT_PATH, chatCall, type Logging, logging, STREAM } from './support.js'

type Fetch = typeof globalThis.fetch

/** What a client can see of a response without reading it. */
function surface(response: Response): Record<string, unknown> {
  const { status, statusText, ok, redirected, type, url, bodyUsed, body } = response
  return {
    fields: { status, statusText, ok, redirected, type, url, bodyUsed },
    // The date differs by chance.
    headers: [...response.headers].filter(([name]) => name !== 'date'),
    cookies: response.headers.getSetCookie(),
    canChangeHeaders: canDo(() => response.headers.set('x-test', '1')),
    canAssign: canDo(() => Object.assign(response, { url: 'x' })),
    tag: Object.prototype.toString.call(response),
    prototype: Object.getPrototypeOf(response) === Response.prototype,
    constructor: response.constructor === Response,
    isInstance: response instanceof Response,
    keys: Object.keys(response),
    members: ['url', 'type', 'headers', 'clone'].map((name) => name in response),
    isSame: [Object.is(response.headers, response.headers), Object.is(response.body, body)],
    body: [inspect(body), Object.prototype.toString.call(body), Object.keys(body ?? {})],
    inspected: inspect(response).replace(/date: '[^']*'/, 'date'),
  }
}

function canDo(act: () => void): boolean {
  try {
    act()
    return true
  } catch {
    return false
  }
}

type Bytes = AsyncIterable<Uint8Array>

async function collect(stream: unknown): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of stream as Bytes) parts.push(part)
  return Buffer.concat(parts).toString()
}

function bodyOf({ body }: Response): ReadableStream<Uint8Array> & Bytes {
  return body as unknown as ReadableStream<Uint8Array> & Bytes
}

const failureOf = (error: unknown) => String(error)

/** Every way in which a client may read a body; what it gets. */
const READERS: [string, (response: Response) => Promise<unknown>][] = [
  ['text()', (response) => response.text()],
  ['arrayBuffer()', async (response) => Buffer.from(await response.arrayBuffer()).toString()],
  [
    'blob()',
    async (response) => {
      const blob = await response.blob()
      return [blob.type, await blob.text()]
    },
  ],
  ['json()', (response) => response.json().catch(failureOf)],
  ['for await', (response) => collect(response.body)],
  ['values()', (response) => collect(bodyOf(response).values())],
  [
    'a default reader',
    async (response) => {
      const reader = bodyOf(response).getReader()
      const parts: Uint8Array[] = []
      for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value)
      await reader.closed
      return Buffer.concat(parts).toString()
    },
  ],
  [
    'a reader with buffers of its own',
    async (response) => {
      const reader = bodyOf(response).getReader({ mode: 'byob' })
      const parts: Uint8Array[] = []
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(7))
        if (done) return [value?.byteLength, Buffer.concat(parts).toString()]
        parts.push(value)
      }
    },
  ],
  [
    'pipeThrough()',
    (response) =>
      collect(response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(new TextEncoderStream())),
  ],
  [
    'pipeTo()',
    async (response) => {
      const parts: Uint8Array[] = []
      await bodyOf(response).pipeTo(new WritableStream({ write: (part) => void parts.push(part) }))
      return Buffer.concat(parts).toString()
    },
  ],
  ['tee()', async (response) => Promise.all(bodyOf(response).tee().map(collect))],
  [
    'clone()',
    async (response) => {
      const copy = response.clone()
      const copyOfCopy = copy.clone()
      const { url, type, redirected, status } = copyOfCopy
      const texts = await Promise.all([response.text(), copy.text(), copyOfCopy.text()])
      return [url, type, redirected, status, copy.headers.get('content-type'), texts]
    },
  ],
  ['Readable.fromWeb', (response) => collect(Readable.fromWeb(response.body as never))],
  ['new Response(body)', (response) => new Response(response.body).text()],
  [
    'reading twice',
    async (response) => {
      await response.text()
      return [
        response.bodyUsed,
        await response.text().catch(failureOf),
        canDo(() => response.clone()),
        canDo(() => response.body?.getReader()),
      ]
    },
  ],
  [
    'cancel()',
    async (response) => {
      await response.body?.cancel()
      return [response.bodyUsed, await response.text().catch(failureOf)]
    },
  ],
]

const ANSWERS: [string, (log: Logging) => Record<string, unknown>][] = [
  ['an answer', () => ({})],
  ['a stream', () => STREAM],
  [
    'a stream in gzip, cut at every byte',
    (log) => {
      log.upstream.delivery = { encoding: 'gzip', chunkBytes: 1 }
      return { stream: true }
    },
  ],
  [
    'an answer in brotli',
    (log) => {
      log.upstream.delivery = { encoding: 'br', chunkBytes: 7 }
      return {}
    },
  ],
  [
    'a failure',
    (log) => {
      log.upstream.handler = () => openAiError(429, 'slow down', { 'retry-after': '1' })
      return {}
    },
  ],
]

describe.each(ANSWERS)('the response of %s', (_, prepare) => {
  test('looks like that of fetch alone', async () => {
    const log = await logging()
    const call = chatCall(prepare(log))
    const url = `${log.upstream.url}${CHAT_PATH}`
    const [bare, logged] = [await fetch(url, call), await log.fetch(url, call)]
    expect(surface(logged)).toEqual(surface(bare))
    await Promise.all([bare.text(), logged.text()])
    expect([logged.bodyUsed, logged.body?.locked]).toEqual([bare.bodyUsed, bare.body?.locked])
  })

  test.each(READERS)('reads the same by %s', async (_, read) => {
    const log = await logging()
    const call = chatCall(prepare(log))
    const url = `${log.upstream.url}${CHAT_PATH}`
    const seen = await Promise.all([fetch, log.fetch].map(async (get: Fetch) => read(await get(url, call))))
    expect(seen[1]).toEqual(seen[0])
  })
})

test('a response to a redirect looks as it does with fetch alone', async () => {
  const log = await logging()
  const headers = { location: '/other/v1/chat/completions', 'set-cookie': ['a=1', 'b=2'] }
  log.upstream.handler = ({ path }) =>
    path === CHAT_PATH ? { status: 307, headers, body: 'moved' } : { ...chat(), headers }
  const url = `${log.upstream.url}${CHAT_PATH}`
  const [bare, logged] = [await fetch(url, chatCall()), await log.fetch(url, chatCall())]
  expect(logged.redirected).toBe(true)
  expect(surface(logged)).toEqual(surface(bare))
  await Promise.all([bare.text(), logged.text()])
  const manual = { ...chatCall(), redirect: 'manual' as const }
  const [first, second] = [await fetch(url, manual), await log.fetch(url, manual)]
  expect(surface(second)).toEqual(surface(first))
})

/** A fetch that answers from memory: the chunks are exactly these, which no network would promise. */
function fetchOf(
  chunks: readonly Uint8Array[],
  type: 'bytes' | undefined,
  onPull: () => void = () => {},
): Fetch {
  return async () => {
    let at = 0
    const body = new ReadableStream(
      {
        type: type as 'bytes',
        pull(controller) {
          onPull()
          const chunk = chunks[at++]
          if (chunk === undefined) controller.close()
          else controller.enqueue(Uint8Array.from(chunk))
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
}

const BODY = Buffer.from(chatStream({ texts: [TEXT, TEXT] }).body)
const URL = `http://localhost${CHAT_PATH}`

describe.each([['bytes' as const], [undefined]])('a body of the type %s', (type) => {
  test.each([
    ['at every byte', 1],
    ['at every seventh byte', 7],
    ['nowhere', BODY.length],
  ])('that is cut %s reaches the client chunk for chunk', async (_, size) => {
    const chunks: Buffer[] = []
    for (let at = 0; at < BODY.length; at += size) chunks.push(BODY.subarray(at, at + size))
    const { journal } = opened()
    const get = loggedFetch(journal, { fetch: fetchOf(chunks, type) })
    const response = await get(URL, chatCall(STREAM))
    const seen: Uint8Array[] = []
    for await (const chunk of bodyOf(response)) seen.push(chunk)
    expect(seen.map(({ length }) => length)).toEqual(chunks.map(({ length }) => length))
    expect(Buffer.concat(seen).equals(BODY)).toBe(true)
  })

  test('lets a reader bring buffers of its own just as it did before', async () => {
    const { journal } = opened()
    const get = loggedFetch(journal, { fetch: fetchOf([BODY], type) })
    const response = await get(URL, chatCall(STREAM))
    expect(canDo(() => response.body?.getReader({ mode: 'byob' }))).toBe(type === 'bytes')
  })

  test('is pulled once for each read of the client, and not before', async () => {
    let pulls = 0
    const chunks = Array.from({ length: 5 }, () => BODY)
    const { journal } = opened()
    const get = loggedFetch(journal, { fetch: fetchOf(chunks, type, () => pulls++) })
    const response = await get(URL, chatCall(STREAM))
    const settle = async () => {
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    await settle()
    expect(pulls).toBe(0)
    const reader = bodyOf(response).getReader()
    for (let reads = 1; reads <= 5; reads++) {
      await reader.read()
      await settle()
      expect(pulls).toBe(reads)
    }
  })
})

test('a response without a body, and one that cannot be made again, pass as they are', async () => {
  class Own extends Response {
    constructor(type: string) {
      super('{}', { headers: { 'content-type': type } })
    }
  }
  for (const given of [new Response(null, { status: 204 }), new Own('application/json'), Response.error()]) {
    const { journal } = opened()
    const get = loggedFetch(journal, { fetch: async () => given })
    expect(await get(URL, chatCall())).toBe(given)
    expect(journal.counters.appended).toBe(1)
  }
})

test('an answer whose body is no web stream, or that has none, is a success without tokens', async () => {
  const type = { headers: { 'content-type': 'application/json' } }
  const ofNodeFetch = { status: 200, ok: true, headers: new Headers(type.headers), body: { pipe() {} } }
  for (const given of [ofNodeFetch as unknown as Response, new Response(null, { ...type, status: 204 })]) {
    const { journal, directory } = opened()
    const get = loggedFetch(journal, { fetch: async () => given })
    expect(await get(URL, chatCall())).toBe(given)
    expect(readSegment(Buffer.from(textOf(directory)))).toMatchObject([{ success: true, input_tokens: null }])
  }
})

test('a subclass of Response that takes the same arguments keeps its class', async () => {
  class Own extends Response {}
  const { journal } = opened()
  const get = loggedFetch(journal, { fetch: async () => new Own('{}') })
  const response = await get(URL, chatCall())
  expect(response).toBeInstanceOf(Own)
  expect(await response.text()).toBe('{}')
})
