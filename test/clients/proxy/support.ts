import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type ProxyOptions, type RunningProxy, startProxy } from '../../../src/clients/proxy/index.js'
import { type JournalEvent, openJournal } from '../../../src/index.js'
import { test as base } from '../../support/workspace.js'

/** An event of the journal, with whatever members it has. */
export type LoggedEvent = JournalEvent & Record<string, unknown>

/** A proxy at work, and the journal that it writes to. */
export interface TestProxy extends RunningProxy {
  events(): LoggedEvent[]
  /** Waits until the journal has so many events, and gives them. */
  eventsAfter(count: number): Promise<LoggedEvent[]>
}

export const test = base.extend<{ proxyTo: (options: ProxyOptions | string) => Promise<TestProxy> }>({
  proxyTo: async ({ workspace }, use) => {
    const open: { close(): Promise<void> }[] = []
    await use(async (options) => {
      const journal = openJournal({ directory: workspace.journal, logger: { warn() {}, error() {} } })
      const given = typeof options === 'string' ? { upstream: options } : options
      const proxy = await startProxy(journal, { port: 0, graceMs: 0, ...given })
      open.push(proxy, journal)
      const events = () => eventsOf(workspace.journal)
      return { ...proxy, events, eventsAfter: (count) => until(events, (found) => found.length >= count) }
    })
    for (const one of open) await one.close()
  },
})

/** All events of a journal, in its order. */
export function eventsOf(directory: string): LoggedEvent[] {
  if (!existsSync(directory)) return []
  const segments = readdirSync(directory).filter((name) => name.endsWith('.ndjson'))
  return segments
    .sort()
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line))
}

/** Asks again until the answer is as it should be. The test's own time-out bounds it. */
export async function until<Found>(ask: () => Found, isRight: (found: Found) => boolean): Promise<Found> {
  for (;;) {
    const found = ask()
    if (isRight(found)) return found
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export interface Asked {
  status: number
  message: string
  rawHeaders: string[]
  headers: IncomingMessage['headers']
  body: Buffer
  json(): Record<string, never>
}

export type AskOptions = Pick<RequestOptions, 'method' | 'headers'> & { body?: string | Buffer }

/** Asks without the conveniences of fetch, which corrects paths and headers, and reads to the end. */
export async function ask(url: string, path: string, options: AskOptions = {}): Promise<Asked> {
  const response = await begin(url, path, options).response
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  const { statusCode: status = 0, statusMessage: message = '', rawHeaders, headers } = response
  return { status, message, rawHeaders, headers, body, json: () => JSON.parse(body.toString()) }
}

/** Asks, and leaves the answer to the caller, and the end of a request without a body. */
export function begin(url: string, path: string, { method = 'POST', headers = {}, body }: AskOptions = {}) {
  const { hostname, port } = new URL(url)
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const sent = request({ hostname, port, path, method, headers: { ...type, ...headers }, agent: false })
  onTestFinished(() => void sent.destroy())
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve).on('error', reject)
  })
  // A test that leaves doesn't wait for it.
  response.catch(() => {})
  if (body !== undefined || method !== 'POST') sent.end(body)
  return { sent, response }
}

/** The body of a chat request. */
export function chatBody(more: object = {}): string {
  return JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], model: 'gpt-4o', ...more })
}

export const CHAT = '/v1/chat/completions'

/** Sends bytes as they are, and gives all that comes back until the connection ends. */
export function sendRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', reject).on('close', () => resolve(text))
  })
}
