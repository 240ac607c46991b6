import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { describe, expect } from 'vitest'
import {
  CHAT_TOKENS,
  chatStream,
  KEY,
  MESSAGE_TOKENS,
  openAiError,
  PROMPT,
  RESPONSES_TOKENS,
  TEXT,
} from '../upstream/answers.js'
import { startUpstream } from '../upstream/upstream.js'
import { test } from './support.js'

const messages = [{ role: 'user' as const, content: PROMPT }]

function hasPackage(name: string): boolean {
  return spawnSync('python3', ['-c', `import ${name}`]).status === 0
}
const hasPython = hasPackage('json')
const hasPythonOpenAi = hasPackage('openai')
if (!hasPython) console.warn('Tests with Python are skipped: python3 is missing')
else if (!hasPythonOpenAi) console.warn("The test with Python's openai is skipped: the package is missing")

/** Runs a program that prints JSON, without blocking the proxy of this process. */
async function python(script: string, ...args: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)('python3', ['-c', script, ...args])
  return JSON.parse(stdout)
}

describe("OpenAI's SDK", () => {
  test('gets what it gets without the proxy, and its calls are logged', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo({ upstream: upstream.url, provider: 'openai' })
    const ask = async (url: string) => {
      const client = new OpenAI({ apiKey: KEY, baseURL: `${url}/v1` })
      const whole = await client.chat.completions.create({ model: 'gpt-4o', messages })
      const stream = await client.chat.completions.create({
        model: 'gpt-4o',
        messages,
        stream: true,
        stream_options: { include_usage: true },
      })
      const chunks = []
      for await (const chunk of stream) chunks.push(chunk)
      const response = await client.responses.create({ model: 'gpt-4.1', input: PROMPT })
      const models = await client.models.list()
      return { whole, chunks, response, models: models.data }
    }
    expect(await ask(proxy.url)).toEqual(await ask(upstream.url))
    const events = await proxy.eventsAfter(4)
    expect(events).toMatchObject([
      { type: 'request_logged', model: 'gpt-4o', attempt: 0, streaming: false, ...CHAT_TOKENS },
      { type: 'request_logged', model: 'gpt-4o', attempt: 0, streaming: true },
      { type: 'stream_completed', success: true, ...CHAT_TOKENS },
      { type: 'request_logged', model: 'gpt-4.1', ...RESPONSES_TOKENS },
    ])
    expect(JSON.stringify(events)).not.toContain(KEY)
    expect(JSON.stringify(events)).not.toContain(PROMPT)
    expect(JSON.stringify(events)).not.toContain(TEXT)
    expect(upstream.received[0]?.headers['authorization']).toBe(`Bearer ${KEY}`)
  })

  test('retries, and each of its attempts is a row', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.answerNext(
      openAiError(429, 'slow down', { 'retry-after-ms': '1' }),
      openAiError(500, 'oops', { 'retry-after-ms': '1' }),
    )
    const proxy = await proxyTo(upstream.url)
    const defaultHeaders = { 'x-request-journal-correlation-id': 'one-request' }
    const client = new OpenAI({ apiKey: KEY, baseURL: `${proxy.url}/v1`, defaultHeaders })
    await client.chat.completions.create({ model: 'gpt-4o', messages })
    const events = proxy
      .events()
      .map(({ attempt, correlation_id, error_status, success }) => [
        attempt,
        correlation_id,
        error_status,
        success,
      ])
    expect(events).toEqual([
      [0, 'one-request', 429, false],
      [1, 'one-request', 500, false],
      [2, 'one-request', null, true],
    ])
  })

  test('breaks a stream off, and so does the proxy', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.delivery = { chunkBytes: 400, pauseMs: 5 }
    const proxy = await proxyTo(upstream.url)
    const client = new OpenAI({ apiKey: KEY, baseURL: `${proxy.url}/v1` })
    const stream = await client.chat.completions.create({ model: 'gpt-4o', messages, stream: true })
    for await (const _ of stream) break
    expect((await proxy.eventsAfter(2))[1]).toMatchObject({
      success: false,
      error_message: 'aborted by the client',
    })
  })

  test('says what the proxy says of an upstream that is not there', async ({ proxyTo }) => {
    const proxy = await proxyTo('http://127.0.0.1:1')
    const client = new OpenAI({ apiKey: KEY, baseURL: `${proxy.url}/v1`, maxRetries: 0 })
    const error = await client.chat.completions
      .create({ model: 'gpt-4o', messages })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(String(error)).toContain(
      '502 request-journal proxy: http://127.0.0.1:1: it refused the connection (ECONNREFUSED)',
    )
  })

  test('shows the token of the proxy beside its key', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const token = 'a-token-of-the-tests'
    const proxy = await proxyTo({ upstream: upstream.url, token })
    const defaultHeaders = { 'x-request-journal-token': token }
    const client = new OpenAI({ apiKey: KEY, baseURL: `${proxy.url}/v1`, defaultHeaders })
    expect((await client.chat.completions.create({ model: 'gpt-4o', messages })).choices).toHaveLength(1)
  })
})

test("Anthropic's SDK gets what it gets without the proxy, and its calls are logged", async ({ proxyTo }) => {
  const upstream = await startUpstream()
  const proxy = await proxyTo({ upstreams: { '/anthropic': { url: upstream.url, provider: 'anthropic' } } })
  const ask = async (baseURL: string) => {
    const client = new Anthropic({ apiKey: KEY, baseURL })
    const asked = { model: 'claude-of-the-test', max_tokens: 100, messages }
    const whole = await client.messages.create(asked)
    return { whole, streamed: await client.messages.stream(asked).finalMessage() }
  }
  expect(await ask(`${proxy.url}/anthropic`)).toEqual(await ask(upstream.url))
  expect(await proxy.eventsAfter(3)).toMatchObject([
    { type: 'request_logged', provider: 'anthropic', model: 'claude-of-the-test', ...MESSAGE_TOKENS },
    { type: 'request_logged', streaming: true },
    { type: 'stream_completed', success: true, ...MESSAGE_TOKENS },
  ])
})

describe('Python', () => {
  const URLLIB = `
import json, sys, urllib.request
body = json.dumps({'model': 'gpt-4o', 'messages': [], 'stream': sys.argv[2] == 'stream', 'stream_options': {'include_usage': True}})
headers = {'content-type': 'application/json', 'authorization': 'Bearer sk-x', 'x-user': 'alice'}
with urllib.request.urlopen(urllib.request.Request(sys.argv[1] + '/v1/chat/completions', body.encode(), headers)) as answer:
    print(json.dumps({'status': answer.status, 'text': answer.read().decode()}))`

  test.runIf(hasPython)(
    "its urllib gets a stream byte for byte, and it's logged with a label of its header",
    async ({ proxyTo }) => {
      const upstream = await startUpstream()
      const proxy = await proxyTo({ upstream: upstream.url, labelHeaders: { 'x-user': 'user' } })
      expect(await python(URLLIB, proxy.url, 'stream')).toEqual({ status: 200, text: chatStream().body })
      expect(await proxy.eventsAfter(2)).toMatchObject([
        { streaming: true, labels: { user: 'alice' } },
        { success: true, ...CHAT_TOKENS },
      ])
    },
  )

  const OPENAI = `
import json, sys
from openai import OpenAI
client = OpenAI(api_key='sk-x', base_url=sys.argv[1] + '/v1')
asked = {'model': 'gpt-4o', 'messages': [{'role': 'user', 'content': 'Hello'}]}
whole = client.chat.completions.create(**asked).choices[0].message.content
stream = client.chat.completions.create(**asked, stream=True, stream_options={'include_usage': True})
streamed = ''.join(chunk.choices[0].delta.content or '' for chunk in stream if chunk.choices)
print(json.dumps([whole, streamed]))`

  test.runIf(hasPythonOpenAi)('its openai package by base_url', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    expect(await python(OPENAI, proxy.url)).toEqual([TEXT, TEXT])
    expect(await proxy.eventsAfter(3)).toMatchObject([CHAT_TOKENS, { streaming: true }, CHAT_TOKENS])
  })
})
