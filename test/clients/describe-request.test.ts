import { describe, expect, test } from 'vitest'
import { describeRequest, type RequestDescription } from '../../src/clients/describe-request.js'

interface Sent {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: string | Buffer | object
}

function describeSent({ method = 'POST', path, headers = {}, body }: Sent): RequestDescription | null {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  return describeRequest({
    method,
    path,
    header: (name) => headers[name] ?? null,
    body: text === undefined ? null : Buffer.from(text),
  })
}

const NOTHING = { model: null, isStreamAsked: false, service_tier: null, attempt: null, correlationId: null }

function form(fields: Record<string, string>, file: Buffer, boundary: string): Buffer {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="model.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n`
  return Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n${parts.join('')}--${boundary}--\r\n`)])
}

describe('a request to a model says', () => {
  const boundary = '----formdata-undici-012345678901'
  const sound = Buffer.from('\r\n\r\nname="model"\r\n\r\nnot-this\r\n--other', 'latin1')

  test.each<[string, Sent, Partial<RequestDescription>]>([
    [
      'its model, that it streams and its tier',
      {
        path: '/v1/chat/completions',
        body: {
          messages: [{ role: 'user', content: '"model":"no", 🦉', model: 'no' }],
          model: 'gpt-5-mini',
          stream: true,
          service_tier: 'flex',
        },
      },
      { model: 'gpt-5-mini', isStreamAsked: true, service_tier: 'flex' },
    ],
    [
      'its attempt and its idempotency key',
      {
        path: '/v1/messages',
        headers: { 'x-stainless-retry-count': '2', 'idempotency-key': 'stainless-node-retry-1' },
        body: { model: 'claude-sonnet-4-5', stream: false },
      },
      { model: 'claude-sonnet-4-5', attempt: 2, correlationId: 'stainless-node-retry-1' },
    ],
    [
      'no attempt by a count that is not a number',
      { path: '/v1/responses', headers: { 'x-stainless-retry-count': '-1' }, body: { model: 'm' } },
      { model: 'm' },
    ],
    ['no model without a body', { path: '/v1/responses' }, {}],
    ['no model if its body is broken', { path: '/v1/responses', body: '{"model":"m"' }, {}],
    ['no model by a body of its own', { path: '/v1/embeddings', body: { model: { name: 'm' } } }, {}],
    [
      "Gemini's model and stream by its path",
      {
        path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
        body: { contents: [{ parts: [{ text: 'model' }] }] },
      },
      { model: 'gemini-2.5-flash', isStreamAsked: true },
    ],
    [
      "Vertex AI's model by its path",
      {
        path: '/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent',
        body: {},
      },
      { model: 'gemini-2.5-pro' },
    ],
    [
      "the model of Anthropic's messages on Vertex AI by its path",
      {
        path: '/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict',
        body: { stream: true, messages: [] },
      },
      { model: 'claude-sonnet-4-5@20250929', isStreamAsked: true },
    ],
    [
      "Azure's deployment, whatever its body names",
      { path: '/openai/deployments/my%20gpt/chat/completions?api-version=1', body: { model: 'gpt-4o' } },
      { model: 'my gpt' },
    ],
    [
      'a deployment whose name is broken, as it is written',
      { path: '/openai/deployments/100%/embeddings', body: {} },
      { model: '100%' },
    ],
    [
      'its model in a form, whatever its file holds',
      {
        path: '/v1/audio/transcriptions/',
        headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
        body: form({ model: 'gpt-4o-transcribe', stream: 'true', prompt: 'x' }, sound, boundary),
      },
      { model: 'gpt-4o-transcribe', isStreamAsked: true },
    ],
    [
      'its model in a form whose boundary is quoted',
      {
        path: '/v1/images/edits',
        headers: { 'content-type': 'multipart/form-data; charset=utf-8; boundary="a b"' },
        body: form({ model: 'gpt-image-1' }, sound, 'a b'),
      },
      { model: 'gpt-image-1' },
    ],
    [
      'no model in a form that is not one',
      {
        path: '/v1/images/edits',
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
        body: 'model',
      },
      {},
    ],
    [
      'its model to an API that is not known',
      { path: '/v2/rerank', body: { model: 'r-3' } },
      { model: 'r-3' },
    ],
  ])('%s', (_, sent, said) => {
    expect(describeSent(sent)).toEqual({ ...NOTHING, ...said })
  })
})

test.each<[string, Sent]>([
  ['a list of models', { method: 'GET', path: '/v1/models' }],
  ['a stored completion', { method: 'GET', path: '/v1/chat/completions/chatcmpl-1' }],
  ['metadata of a stored completion', { path: '/v1/chat/completions/chatcmpl-1', body: { model: 'm' } }],
  ['a file', { path: '/v1/files', body: 'x' }],
  ['a batch', { path: '/v1/messages/batches', body: { model: 'm' } }],
  ['a count of tokens', { path: '/v1/messages/count_tokens?beta=true', body: { model: 'm' } }],
  ["Gemini's count of tokens", { path: '/v1beta/models/gemini-2.5-flash:countTokens', body: {} }],
  ['a count of input tokens', { path: '/v1/responses/input_tokens', body: { model: 'm' } }],
  ['a message of a thread', { path: '/v1/threads/thread_1/messages', body: { role: 'user' } }],
  ['a fine-tuning job', { path: '/v1/fine_tuning/jobs', body: { model: 'm' } }],
  ['a moderation', { path: '/v1/moderations', body: { model: 'm' } }],
  ['a request to something else', { path: '/health', body: {} }],
])('%s is not a call of a model', (_, sent) => {
  expect(describeSent(sent)).toBeNull()
})

test('a request with 50 MB of images is described by the members around them', () => {
  const image = `data:image/png;base64,${'iVBORw0KGgo='.repeat(4_200_000)}`
  const body = Buffer.from(
    `{"messages":[{"content":[{"image_url":{"url":"${image}"}}]}],"model":"m","stream":true}`,
  )
  const request = { method: 'POST', path: '/v1/chat/completions', header: () => null, body }
  expect(describeRequest(request)).toMatchObject({ model: 'm', isStreamAsked: true })
})
