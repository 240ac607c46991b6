// Prints by how many bytes the memory of a process grows while bodies pass, as JSON by their names.
// Run with --expose-gc.
import { RequestMembers } from '../../../dist/clients/request-members.js'
import { observeAnswer } from '../../../dist/clients/usage/answer-observer.js'

const image = Buffer.from('iVBORw0KGgo\\n='.repeat(77_000))
const choice = { index: 0, delta: { content: ' token' }, finish_reason: null }
const event = Buffer.from(
  `data: ${JSON.stringify({ id: 'chatcmpl-1', model: 'm', choices: [choice], usage: null })}\n\n`,
)
const events = Buffer.concat(Array.from({ length: 6000 }, () => event))

function observer(path, type) {
  return observeAnswer({ path, status: 200, header: () => type, isStreamAsked: true })
}
const [chat, gemini, sse] = ['/v1/chat/completions', '/m:streamGenerateContent', 'text/event-stream']

/** What passes: megabytes, who reads it, how it begins, and the chunk that is repeated. */
const bodies = {
  'an event stream': [50, observer(chat, sse), '', events],
  'one event': [50, observer('/v1/responses', sse), 'data: {"response":{"output":"', image],
  'a line that is not data': [50, observer(chat, sse), ': ', image],
  'a text': [50, observer('/v1/images/generations', null), '{"data":[{"b64_json":"', image],
  'a wanted text': [50, observer(chat, null), '{"id":"', image],
  'a name': [50, observer(chat, null), '{"', image],
  'a number': [50, observer(chat, null), '{"usage":{"prompt_tokens":', Buffer.alloc(1e6, '7')],
  'open arrays': [50, observer(chat, null), '{"x":', Buffer.alloc(1e6, '[')],
  choices: [5, observer(chat, null), '{"choices":[{}', Buffer.alloc(999_999, ',{}')],
  documents: [5, observer(gemini, null), '[{}', Buffer.alloc(999_999, ',{}')],
  sound: [50, observer('/v1/audio/speech', 'audio/mpeg'), '', image],
  'a request': [50, new RequestMembers('application/json'), '{"model":"', image],
  'a form': [
    50,
    new RequestMembers('multipart/form-data; boundary=b'),
    '--b\r\n',
    Buffer.alloc(1e6, '\r\n--'),
  ],
}

function used() {
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const growth = {}
for (const [name, [megabytes, reader, beginning, chunk]] of Object.entries(bodies)) {
  reader.push(Buffer.from(beginning))
  reader.push(chunk)
  const before = used()
  let most = 0
  for (let third = 0; third < 3; third++) {
    for (let bytes = 0; bytes < (megabytes * 1e6) / 3; bytes += chunk.length) reader.push(chunk)
    most = Math.max(most, used() - before)
  }
  growth[name] = most
}
console.log(JSON.stringify(growth))
