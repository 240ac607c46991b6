import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { observeAnswer } from '../../../src/clients/usage/answer-observer.js'
import type { AnswerObserver } from '../../../src/clients/usage/observation.js'
import { runs } from '../../support/runs.js'
import { delta } from './recorded/openai.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const PATHS = [
  '/v1/chat/completions',
  '/v1/responses',
  '/v1/embeddings',
  '/v1/images/generations',
  '/v1/audio/transcriptions',
  '/v1/messages',
  '/v1beta/models/m:streamGenerateContent',
  '/v1/unknown',
]

function observer(path: string, type: string | null, status = 200): AnswerObserver {
  return observeAnswer({ path, status, header: () => type, isStreamAsked: true })
}

const OUTCOMES = ['complete', 'incomplete', 'error']

describe('an observer never throws', () => {
  /** Bytes that lead further in than random ones. */
  const pieces = fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc
      .constantFrom(
        ...[
          'data: ',
          '\n',
          '\r',
          '\r\n\r\n',
          '{',
          '}',
          '[',
          ']',
          ',',
          ':',
          '"',
          '\\',
          'null',
          '-1e999',
          '[DONE]',
        ],
        ...['"usage":', '"usage":{', '"error":', '"choices":[{', '"type":"message_start",', '"message":{'],
        ...['"usageMetadata":{', '"prompt_tokens":5', '"input_tokens":5', '"candidates":[{', '"response":{'],
        ...['"iterations":[{', '"cost":{', '\uFEFF', '🦉', '"promptTokensDetails":[{"modality":"AUDIO",'],
      )
      .map((text) => Uint8Array.from(Buffer.from(text))),
  )
  const type = fc.constantFrom('application/json', 'text/event-stream', 'text/html', 'audio/mpeg', null)

  test('at any bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...PATHS),
        type,
        fc.constantFrom(200, 204, 302, 400, 500),
        fc.array(pieces, { maxLength: 40 }),
        (path, contentType, status, chunks) => {
          const observed = observer(path, contentType, status)
          for (const chunk of chunks) observed.push(chunk)
          const { outcome, usage } = observed.end()
          expect(OUTCOMES).toContain(outcome.kind)
          for (const told of Object.values(usage ?? {})) {
            expect(told === null || (Number.isFinite(told) && told >= 0)).toBe(true)
          }
        },
      ),
      runs(500),
    )
  })

  test('at a head that throws, and at chunks that are not bytes', () => {
    const observed = observeAnswer({
      path: '/v1/chat/completions',
      status: 200,
      header() {
        throw new Error('no header')
      },
      isStreamAsked: false,
    })
    observed.push(Buffer.from('{"id":"x","usage":{"prompt_tokens":5}'))
    observed.push('text' as never)
    observed.push(undefined as never)
    observed.push(Buffer.from('}'))
    expect(OUTCOMES).toContain(observed.end().outcome.kind)
  })
})

describe('the memory of an observer stays the same', () => {
  const megabyte = Buffer.from(JSON.stringify('iVBORw0KGgo='.repeat(90_000)).slice(1, -1))
  const event = Buffer.from(`data: ${JSON.stringify(delta(' token'))}\n\n`)
  const events = Buffer.concat(Array.from({ length: 4000 }, () => event))
  const text = (part: string) => Buffer.from(part)

  /** Pushes a chunk again and again, and returns by how much memory has grown at most. */
  function growth(observed: AnswerObserver, chunk: Buffer, megabytes: number): number {
    const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external
    observed.push(chunk)
    gc()
    const before = used()
    let most = 0
    for (let third = 0; third < 3; third++) {
      for (let bytes = 0; bytes < (megabytes * 1e6) / 3; bytes += chunk.length) observed.push(chunk)
      gc()
      most = Math.max(most, used() - before)
    }
    return most
  }

  test.each<[number, string, string, string | null, string, Buffer]>([
    [100, 'an event stream', '/v1/chat/completions', 'text/event-stream', '', events],
    [20, 'one event', '/v1/responses', 'text/event-stream', 'data: {"response":{"output":"', megabyte],
    [20, 'one line that is not data', '/v1/responses', 'text/event-stream', ': ', megabyte],
    [20, 'one text', '/v1/images/generations', 'application/json', '{"data":[{"b64_json":"', megabyte],
    [20, 'one wanted text', '/v1/chat/completions', 'application/json', '{"id":"', megabyte],
    [20, 'one name', '/v1/chat/completions', 'application/json', '{"', megabyte],
    [20, 'one number', '/v1/completions', null, '{"usage":{"prompt_tokens":', Buffer.alloc(1e6, '7')],
    [20, 'open arrays', '/v1/completions', null, '{"x":', Buffer.alloc(1e6, '[')],
    [5, 'choices', '/v1/completions', null, '{"choices":[{}', Buffer.alloc(999_999, ',{}')],
    [5, 'documents', '/v1beta/models/m:streamGenerateContent', null, '[{}', Buffer.alloc(999_999, ',{}')],
  ])('over %i MB of %s', (megabytes, _, path, type, beginning, chunk) => {
    const observed = observer(path, type)
    observed.push(text(beginning))
    expect(growth(observed, chunk, megabytes)).toBeLessThan(1_000_000)
    expect(OUTCOMES).toContain(observed.end().outcome.kind)
  })
})
