import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DemoRequest, demoRequest } from './demo-traffic.js'

/** The header by which the demo's client says which of its requests this is. */
export const INDEX_HEADER = 'x-demo-request'

/** How many chunks of text a stream has. */
const CHUNKS = 6

/** A provider on this machine that speaks OpenAI's protocol of chat completions. */
export interface DemoUpstream {
  baseUrl: string
  close(): void
}

/** @param requestOf makes up the request of an index; the client must use the same function. */
export async function startDemoUpstream(requestOf = demoRequest): Promise<DemoUpstream> {
  const server = createServer((request, response) => {
    // A client that leaves, as at Ctrl-C, isn't an error.
    answer(request, response, requestOf).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  requestOf: typeof demoRequest,
): Promise<void> {
  request.resume()
  await once(request, 'end')
  const asked = requestOf(Number(request.headers[INDEX_HEADER]))
  const isFirstTry = Number(request.headers['x-stainless-retry-count'] ?? 0) === 0
  await sleep(asked.delayMs)
  const { failure } = asked
  if (failure !== null && (isFirstTry || !failure.isTemporary)) {
    const headers = { 'content-type': 'application/json', 'retry-after-ms': '20' }
    response.writeHead(failure.status, headers)
    response.end(
      JSON.stringify({ error: { message: failure.message, type: 'demo', code: null, param: null } }),
    )
  } else if (asked.streaming) await stream(asked, response)
  else {
    const message = { role: 'assistant', content: 'made up', refusal: null }
    const choices = [{ index: 0, message, finish_reason: 'stop', logprobs: null }]
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ ...envelope(asked, 'chat.completion'), choices, usage: usageOf(asked) }))
  }
}

async function stream(asked: DemoRequest, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (members: object) => {
    const chunk = { ...envelope(asked, 'chat.completion.chunk'), usage: null, ...members }
    response.write(`data: ${JSON.stringify(chunk)}\n\n`)
  }
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    send({ choices: [{ index: 0, delta: { content: 'made up ' }, finish_reason: null }] })
    await sleep(asked.chunkMs)
    if (asked.isBroken && chunk === CHUNKS / 2) {
      response.destroy()
      return
    }
  }
  send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
  send({ choices: [], usage: usageOf(asked) })
  response.end('data: [DONE]\n\n')
}

function envelope({ model }: DemoRequest, object: string): object {
  return { id: 'chatcmpl-demo', object, created: Math.floor(Date.now() / 1000), model: model.model }
}

function usageOf({ inputTokens, cachedTokens, outputTokens }: DemoRequest): object {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  }
}
