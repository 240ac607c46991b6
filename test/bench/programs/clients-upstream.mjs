// A provider of this machine, in a process of its own, that streams chat completions as fast as they are taken.
import { createServer } from 'node:http'
import { configuration } from './support.mjs'

const { chunks, chunkBytes } = configuration
const head = { 'content-type': 'text/event-stream' }
const told = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o' }
const content = 'x'.repeat(Math.max(1, chunkBytes - 160))
const text = { ...told, choices: [{ index: 0, delta: { content }, finish_reason: null }] }
const usage = { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 }
const chunk = Buffer.from(`data: ${JSON.stringify(text)}\n\n`)
const end = Buffer.from(`data: ${JSON.stringify({ ...told, choices: [], usage })}\n\ndata: [DONE]\n\n`)

const server = createServer((request, response) => {
  request.resume().once('end', () => {
    response.writeHead(200, head)
    let sent = 0
    const send = () => {
      if (response.destroyed) return
      if (sent++ === chunks) response.end(end)
      else if (response.write(chunk)) setImmediate(send)
      else response.once('drain', send)
    }
    send()
  })
})
server.listen(0, '127.0.0.1', () => process.send?.(/** @type {object} */ (server.address())))
process.once('disconnect', () => process.exit())
