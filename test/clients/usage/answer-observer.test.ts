import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AnswerObserver, observeAnswer } from '../../../src/clients/usage/answer-observer.js'
import { runs } from '../../support/runs.js'

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

const OUTCOMES = ['complete', 'incomplete', 'unknown', 'error']

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
