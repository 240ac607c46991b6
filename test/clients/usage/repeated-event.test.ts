import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../../support/runs.js'
import { observe } from './support.js'

/** Events of each API, with `$` where a text that isn't wanted stands and `#` where a value does. */
const EVENTS: Record<string, string[]> = {
  '/v1/chat/completions': [
    '{"id":"c1","object":"$","created":#,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"$"},"finish_reason":null}],"usage":null,"obfuscation":"$"}',
    '{"id":"c1","created":#,"model":"gpt-4o","choices":[{"index":1,"delta":{"content":"$"},"finish_reason":"stop"}]}',
    '{"id":"c1","object":"$","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":#,"total_tokens":#}}',
    '[{"id":"c1","choices":[{"index":0}]},{"id":"$","choices":[{"index":0,"finish_reason":"stop"}]}]',
    '{"error":{"message":"$"}}',
    '[DONE]',
  ],
  '/v1/responses': [
    '{"type":"response.output_text.delta","sequence_number":#,"item_id":"$","delta":"$","logprobs":[]}',
    '{"type":"response.completed","sequence_number":#,"response":{"id":"r1","usage":{"input_tokens":#,"output_tokens":7}}}',
  ],
  '/v1/messages': [
    '{"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"$"}}',
    '{"type":"message_delta","delta":{"stop_reason":"$"},"usage":{"input_tokens":null,"output_tokens":#}}',
    '{"type":"message_stop"}',
  ],
  '/v1beta/models/m:streamGenerateContent': [
    '{"candidates":[{"content":{"parts":[{"text":"$"}]},"index":0}],"usageMetadata":{"promptTokenCount":#,"candidatesTokenCount":#},"modelVersion":"m"}',
    '{"candidates":[{"content":{"parts":[{"text":"$"}]},"index":0,"finishReason":"STOP"}],"modelVersion":"m"}',
  ],
  '/v1/images/generations': [
    '{"type":"image_generation.completed","b64_json":"$","usage":{"input_tokens":#,"output_tokens":#}}',
    '{"type":"image_generation.partial_image","b64_json":"$","partial_image_index":#}',
  ],
}

describe('an event like the one before it', () => {
  const text = fc.constantFrom(
    '',
    'word',
    ' $1',
    '\\"',
    '\\\\',
    '}',
    '{"a":1',
    '🦉',
    '\\"}],"usage":{"x',
    '"',
  )
  const value = fc.constantFrom('0', '1', '250', 'null', '-1e3', '', ' 2', '"3"', '[]', '{')
  const streams = fc.constantFrom(...Object.keys(EVENTS)).chain((path) => {
    const event = fc
      .tuple(fc.constantFrom(...(EVENTS[path] ?? [])), fc.array(text), fc.array(value))
      .map(([form, texts, values]) =>
        form.replace(/\$/g, () => texts.pop() ?? 'text').replace(/#/g, () => values.pop() ?? '5'),
      )
    const repeats = fc
      .tuple(event, fc.integer({ min: 1, max: 3 }))
      .map(([one, times]) => Array(times).fill(one))
    return fc.tuple(
      fc.constant(path),
      fc.array(
        fc.oneof(
          event.map((one) => [one]),
          repeats,
        ),
      ),
    )
  })

  test('tells what it tells after another one', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(2000)), ([path, events], cuts) => {
        const stream = (separator: string) =>
          events
            .flat()
            .map((event) => `data: ${event}\n\n`)
            .join(separator)
        // A document without members says nothing, and it is unlike each of them.
        const apart = observe({ path, body: stream('data: {}\n\n'), isStreamAsked: true })
        const body = stream('')
        const offsets = cuts.filter((cut) => cut < Buffer.byteLength(body)).sort((a, b) => a - b)
        expect(observe({ path, body, isStreamAsked: true })).toEqual(apart)
        expect(observe({ path, body, isStreamAsked: true }, offsets)).toEqual(apart)
      }),
      runs(500),
    )
  })

  test('is counted where events are counted: two images of the same usage tell none', () => {
    const image = (data: string) =>
      `data: {"type":"image_generation.completed","b64_json":"${data}","usage":{"input_tokens":5,"output_tokens":9}}\n\n`
    const told = (body: string) => observe({ path: '/v1/images/generations', body }).usage
    expect(told(image('aaaa'))).toMatchObject({ input_tokens: 5, output_tokens: 9 })
    expect(told(image('aaaa') + image('bbbb'))).toBeNull()
  })
})
