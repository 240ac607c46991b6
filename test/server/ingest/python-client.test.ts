import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { MAX_BODY_BYTES } from '../../../src/server/ingest/posted-events.js'
import { codeBlocks } from '../../support/pages.js'
import { test } from '../support.js'

const TOKEN = 'correct-horse-battery-staple'

/** The programs of docs/clients.md: the client, and the loop of a thread that calls it. */
function documented(): string[] {
  const blocks = codeBlocks('docs/clients.md', 'Events from other hosts')
  return blocks.filter(({ language }) => language === 'python').map(({ text }) => text)
}

/** The documented lines that post what was kept. */
function laterPosts(): string {
  const blocks = codeBlocks('docs/clients.md', 'Events from other hosts')
  return blocks.find(({ language }) => language === 'py')?.text ?? 'missing'
}

const POST = 'print(json.dumps(post_events(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), "my-key")))'

/** Runs the client on events, without its pauses, and returns what it prints: the answer. */
async function post(
  url: string,
  events: unknown,
  call = POST,
): Promise<{ status: number | null; text: string }> {
  const script = `${documented().join('\n')}
import sys
time.sleep = lambda seconds: None
${call}`
  const child = spawn('python3', ['-c', script, url, TOKEN, JSON.stringify(events)])
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
  const [status] = await once(child, 'close')
  return { status, text }
}

/**
 * A way to a server that is started again behind a reverse proxy: the first answer is lost after the server has given it,
 * others are no HTTP, cut off in the middle, and the reverse proxy's own.
 */
async function throughRestart(url: string): Promise<{ url: string; keys: unknown[] }> {
  const keys: unknown[] = []
  const relay = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'])
    if (keys.length === 2) return response.socket?.end('nonsense\r\n\r\n')
    if (keys.length === 3) {
      response.writeHead(200, { 'content-length': 100 }).write('{"appended"')
      return setImmediate(() => response.destroy())
    }
    if (keys.length > 3 && keys.length < 6) return response.writeHead(keys.length === 4 ? 502 : 504).end()
    const { method, headers } = request
    const onward = send(`${url}${request.url}`, { method, headers }, (answer: IncomingMessage) => {
      if (keys.length === 1) response.destroy()
      else answer.pipe(response.writeHead(answer.statusCode ?? 0, answer.headers))
    })
    return request.pipe(onward)
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  onTestFinished(() => void relay.close())
  return { url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`, keys }
}

const EVENT = { model: 'gpt-4o', latency_ms: 5, success: true }

test('the Python client of docs/clients.md has thirty lines, and logs events once through a restart', async ({
  place,
  serve,
}) => {
  expect(documented()[0]?.match(/^ *\S/gm)?.length).toBeLessThanOrEqual(30)
  const server = await serve({ ingest: true, token: TOKEN })
  const relay = await throughRestart(server.url)
  const { status, text } = await post(relay.url, [{ ...EVENT, correlation_id: 'über' }, EVENT])
  expect(status, text).toBe(0)
  expect(JSON.parse(text)).toMatchObject({
    appended: 0,
    repeated: 2,
    correlation_ids: ['über', expect.any(String)],
  })
  expect(relay.keys).toEqual(Array(6).fill('my-key'))
  await projectOnce(place)
  const { body } = await server.get('/v1/stats', { headers: { authorization: `Bearer ${TOKEN}` } })
  expect(body.counts.total).toBe(2)
})

test('the Python client raises the refusal of a bad event at once', async ({ serve }) => {
  const server = await serve({ ingest: true, token: TOKEN })
  const { status, text } = await post(server.url, [{ model: 'm' }])
  expect(status).toBe(1)
  expect(text).toContain('HTTP Error 400')
  expect(text).toMatch(/"errors":\[\{"index":0,"message":"[^"]*latency_ms: found nothing/)
})

test('a thread posts what comes in a queue, without an event that is wrong or no JSON, and keeps what it can not post for later', async ({
  place,
  serve,
}) => {
  const server = await serve({ ingest: true, token: TOKEN })
  const call = `
import os, queue, tempfile, threading
os.chdir(tempfile.mkdtemp())
url, token, events = *sys.argv[1:3], json.loads(sys.argv[3])
def post_all(token, events):
    waiting = queue.Queue()
    for event in events:
        waiting.put(event)
    threading.Thread(target=post_from, args=(waiting, url, token), daemon=True).start()
    waiting.join()
post_all(token, events)
post_all("another-token-of-theirs", events[:1])
no_json = [{**events[0], ("no", "text"): 1}, {**events[0], "cost_usd": float("nan")}, {**events[0], "labels": {"text": "x" * 3_000_000}}]
post_all(token, [*no_json, events[0]])
post_from.__defaults__ = ("missing/folder.ndjson",)
post_all("another-token-of-theirs", events[:1])
sizes, post_before = [], post_events
def post_events(url, token, events, key=None):
    sizes.append(len(json.dumps(events)))
    return post_before(url, token, events, key)
post_all(token, [{**events[0], "labels": {"text": "x" * 500_000}}] * 9)
print("largest", max(sizes))
${laterPosts()}`
  const { status, text } = await post(server.url, [EVENT, { model: 'm' }, EVENT], call)
  expect(status, text).toBe(0)
  expect(text).toMatch(/an event isn't logged: .*latency_ms: found nothing/)
  expect(text).toContain('1 events are kept in not-posted.ndjson')
  for (const reason of ['keys must be str', 'Out of range float', 'it has more than 2 MB']) {
    expect(text).toContain(`an event isn't logged: ${reason}`)
  }
  expect(text).toContain('events may not be logged: [{"model": "gpt-4o"')
  expect(Number(/largest (\d+)/.exec(text)?.[1])).toBeLessThan(MAX_BODY_BYTES)
  await projectOnce(place)
  const { body } = await server.get('/v1/stats', { headers: { authorization: `Bearer ${TOKEN}` } })
  expect(body.counts.total).toBe(2 + 1 + 9 + 1)
})
