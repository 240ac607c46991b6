import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { test } from '../support.js'

const TOKEN = 'correct-horse-battery-staple'

/** The client of docs/clients.md. */
function documentedClient(): string {
  const page = readFileSync(new URL('../../../docs/clients.md', import.meta.url), 'utf8')
  return /^```python\n(.*?)^```$/ms.exec(page)?.[1] ?? ''
}

/** Runs the client on events, and returns what it prints: the answer. */
async function post(url: string, events: unknown): Promise<{ status: number | null; text: string }> {
  const script = `${documentedClient()}
import sys
print(json.dumps(post_events(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))`
  const child = spawn('python3', ['-c', script, url, TOKEN, JSON.stringify(events)])
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
  const [status] = await once(child, 'close')
  return { status, text }
}

/** A way to the server that loses the first answer, after the server has given it. */
async function losingFirstAnswer(url: string): Promise<{ url: string; keys: unknown[] }> {
  const keys: unknown[] = []
  const relay = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'])
    const { method, headers } = request
    const onward = send(`${url}${request.url}`, { method, headers }, (answer: IncomingMessage) => {
      if (keys.length === 1) response.destroy()
      else answer.pipe(response.writeHead(answer.statusCode ?? 0, answer.headers))
    })
    request.pipe(onward)
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  onTestFinished(() => void relay.close())
  return { url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`, keys }
}

const EVENT = { model: 'gpt-4o', latency_ms: 5, success: true }

test('the Python client of docs/clients.md has twenty lines, and logs events once when an answer is lost', async ({
  place,
  serve,
}) => {
  expect(documentedClient().match(/^ *\S/gm)?.length).toBeLessThanOrEqual(20)
  const server = await serve({ ingest: true, token: TOKEN })
  const relay = await losingFirstAnswer(server.url)
  const { status, text } = await post(relay.url, [{ ...EVENT, correlation_id: 'über' }, EVENT])
  expect(status, text).toBe(0)
  expect(JSON.parse(text)).toMatchObject({
    appended: 0,
    repeated: 2,
    correlation_ids: ['über', expect.any(String)],
  })
  expect(relay.keys).toHaveLength(2)
  expect(new Set(relay.keys).size).toBe(1)
  await projectOnce(place)
  const { body } = await server.get('/v1/stats', { headers: { authorization: `Bearer ${TOKEN}` } })
  expect(body.counts.total).toBe(2)
})

test('the Python client raises the refusal of a bad event at once', async ({ serve }) => {
  const server = await serve({ ingest: true, token: TOKEN })
  const { status, text } = await post(server.url, [{ model: 'm' }])
  expect(status).toBe(1)
  expect(text).toContain('HTTP Error 400')
})
