// A provider: answers chat completions as a whole or as a stream, whose size and pace the query of its path says.
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const WRITE_BYTES = 16 * 1024
const USAGE = { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 }

/** @param {object} more */
const chunk = (more) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o', ...more })}\n\n`
const text = chunk({
  choices: [{ index: 0, delta: { content: ' some words of an answer' }, finish_reason: null }],
})
const ending = `${chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`
const message = { role: 'assistant', content: 'some words of an answer '.repeat(50) }
const whole = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'gpt-4o',
  choices: [{ index: 0, message, finish_reason: 'stop' }],
  usage: USAGE,
})
const block = text.repeat(Math.floor(WRITE_BYTES / text.length))

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume()
  request.once('end', () => {
    const query = new URL(request.url ?? '/', 'http://upstream').searchParams
    if (query.has('bytes')) void sendBytes(response, Number(query.get('bytes')), Number(query.get('pauseMs')))
    else if (query.has('chunks')) void sendChunks(response, Number(query.get('chunks')))
    else {
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(whole),
      })
      response.end(whole)
    }
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`http://127.0.0.1:${address.port}`)
})

/**
 * One event a write, as a model makes them.
 *
 * @param {import('node:http').ServerResponse} response
 * @param {number} chunks
 */
async function sendChunks(response, chunks) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (let sent = 0; sent < chunks; sent++) {
    response.write(text)
    await new Promise((resolve) => setImmediate(resolve))
  }
  response.end(ending)
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} bytes
 * @param {number} pauseMs
 */
async function sendBytes(response, bytes, pauseMs) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (let sent = 0; sent < bytes; sent += block.length) {
    if (!response.write(block)) await new Promise((resolve) => response.once('drain', resolve))
    await sleep(pauseMs)
  }
  response.end(ending)
}
