import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { loggedFetch } from '../../../src/clients/fetch/logged-fetch.js'
import { opened } from '../../journal/support.js'
import { CHAT_TOKENS, chatStream } from '../upstream/answers.js'
import { CHAT_PATH, chatCall, type Logging, logging, STREAM } from './support.js'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Collects garbage until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    collectGarbage()
    // A collected object is reported some turns later, and waiting for that costs less than
    // collecting again.
    for (let turn = 0; turn < 10 && !isSo(); turn++) await nextTurn()
  }
}

function bodyOf(response: Response): ReadableStream<Uint8Array> {
  if (response.body === null) throw new Error('the response has no body')
  return response.body
}

function call({ upstream, fetch }: Logging): Promise<Response> {
  return fetch(`${upstream.url}${CHAT_PATH}`, chatCall(STREAM))
}

const DROPPED = {
  success: false,
  error_message: 'aborted by the client: the answer was dropped before its end',
}

test('an answer that is dropped unread is logged, and its connection ends', async () => {
  const log = await logging()
  log.upstream.delivery = { stallAfter: 500 }
  const drop = async () => void (await call(log))
  await drop()
  await until(() => log.rows().length === 1)
  expect(log.rows()).toMatchObject([DROPPED])
  while (log.upstream.brokenOff === 0) await sleep(1)
})

test('a stream that is dropped after a read is logged, and its connection ends', async () => {
  const log = await logging()
  log.upstream.delivery = { stallAfter: 500 }
  const drop = async () => {
    const reader = bodyOf(await call(log)).getReader()
    await reader.read()
    reader.releaseLock()
  }
  await drop()
  await until(() => log.rows()[0]?.['isEnded'] === true)
  expect(log.rows()).toMatchObject([DROPPED])
  while (log.upstream.brokenOff === 0) await sleep(1)
})

test('a failure whose reason nobody reads is logged with its status', async () => {
  const log = await logging()
  const drop = async () => {
    log.upstream.handler = () => ({ ...chatStream(), status: 503, delivery: { stallAfter: 10 } })
    await call(log)
  }
  await drop()
  await until(() => log.rows().length === 1)
  expect(log.rows()).toMatchObject([{ success: false, error_status: 503 }])
})

test('a response of which the client keeps only a part is not taken for dropped', async () => {
  const log = await logging()
  log.upstream.delivery = { chunkBytes: 1000, pauseMs: 5 }
  const parts: [name: string, kept: (response: Response) => Response][] = [
    ['its body', (response) => new Response(bodyOf(response))],
    ['a branch of its body', (response) => new Response(bodyOf(response).tee()[0])],
    ['a clone of it', (response) => response.clone()],
  ]
  const keep = async (kept: (response: Response) => Response) => kept(await call(log))
  const rests: [name: string, rest: Response][] = []
  for (const [name, kept] of parts) rests.push([name, await keep(kept)])
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await nextTurn()
  }
  const reading = rests.map(([name, rest]): [string, Promise<string>] => [name, rest.text()])
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await sleep(5)
  }
  for (const [name, text] of reading) expect(await text, name).toBe(chatStream().body)
  const row = { success: true, ...CHAT_TOKENS }
  expect(log.rows()).toMatchObject([row, row, row])
})

test('a client that reads slowly slows its upstream down, and nothing piles up in between', async () => {
  const log = await logging()
  const chunk = Buffer.from(chatStream().body)
  const total = 64 * 1024 * 1024
  let sent = 0
  log.upstream.handler = async (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    while (sent < total && !response.destroyed) {
      sent += chunk.length
      if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve))
    }
    return null
  }
  const response = await call(log)
  const reader = bodyOf(response).getReader()
  await reader.read()
  // Until the sockets between the two are full.
  for (let before = -1; before !== sent; ) {
    before = sent
    await sleep(50)
  }
  expect(sent).toBeLessThan(total / 4)
  await reader.cancel()
})

test('a stream of 100 MB goes through in the memory of a short one, and its tokens are found', async () => {
  const chunk = Buffer.from(chatStream({ texts: ['x'.repeat(64 * 1024)] }).body.split('\n\n')[1] ?? '')
  const event = Buffer.concat([chunk, Buffer.from('\n\n')])
  const count = Math.ceil((100 * 1024 * 1024) / event.length)
  let sent = 0
  const upstream = async () => {
    const body = new ReadableStream({
      type: 'bytes',
      pull(controller) {
        if (sent++ < count) controller.enqueue(Uint8Array.from(event))
        else {
          controller.enqueue(Uint8Array.from(Buffer.from(chatStream({ texts: [] }).body)))
          controller.close()
        }
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  const { journal } = opened()
  const response = await loggedFetch(journal, { fetch: upstream })(`http://x${CHAT_PATH}`, chatCall(STREAM))
  collectGarbage()
  const used = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const before = used()
  const atMost = 60 * 1024 * 1024
  let [most, seen] = [0, 0]
  for await (const bytes of bodyOf(response) as unknown as AsyncIterable<Uint8Array>) {
    seen += bytes.length
    // V8 lets garbage lie as long as it has room: what counts is what is kept.
    if (used() - before > atMost) collectGarbage()
    most = Math.max(most, used() - before)
  }
  expect(seen).toBeGreaterThan(100 * 1024 * 1024)
  expect(most).toBeLessThan(atMost)
  expect(journal.counters).toMatchObject({ appended: 2, usage_missing: 0 })
})

test('100 slow streams at once are each logged once, with their tokens', async () => {
  const log = await logging()
  log.upstream.delivery = { chunkBytes: 1500, pauseMs: 20 }
  const read = async () => {
    for await (const _ of bodyOf(await call(log)) as unknown as AsyncIterable<Uint8Array>) await nextTurn()
  }
  await Promise.all(Array.from({ length: 100 }, read))
  const rows = log.rows()
  expect(rows).toHaveLength(100)
  expect(new Set(rows.map(({ correlation_id }) => correlation_id)).size).toBe(100)
  for (const row of rows) expect(row).toMatchObject({ success: true, isEnded: true, ...CHAT_TOKENS })
})
