import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UsageChunkFilter } from '../../../src/clients/usage/usage-chunk-filter.js'
import { runs } from '../../support/runs.js'
import { chunk, delta, stop } from './recorded/openai.js'
import { sse } from './support.js'

const USAGE = { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 }
const EXTRA = sse(chunk({ usage: USAGE }))
const BEFORE = `: ping\n\n${sse(chunk({ prompt_filter_results: [] }), delta('Grüße 🦉'), stop())}`
const AFTER = sse('[DONE]')

function filtered(text: string, cuts: number[] = []): string {
  const bytes = Buffer.from(text)
  const filter = new UsageChunkFilter()
  const ends = [...cuts, bytes.length].sort((one, other) => one - other)
  const passed = ends.map((end, index) =>
    filter.push(Uint8Array.from(bytes.subarray(ends[index - 1] ?? 0, end))),
  )
  return Buffer.concat([...passed, filter.end()]).toString()
}

describe.each([
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['CR', '\r'],
])('a stream whose lines end with %s', (_, newline) => {
  const [before, extra, after] = [BEFORE, EXTRA, AFTER].map((text) => text.replaceAll('\n', newline)) as [
    string,
    string,
    string,
  ]

  test('loses the extra chunk with the usage and nothing else, however its bytes are cut', () => {
    const whole = before + extra + after
    const length = Buffer.byteLength(whole)
    expect(filtered(whole, [...Array(length).keys()])).toBe(before + after)
    fc.assert(
      fc.property(fc.array(fc.nat(length), { maxLength: 20 }), (cuts) => {
        expect(filtered(whole, cuts)).toBe(before + after)
      }),
      runs(20),
    )
  })
})

test.each([
  ['a usage beside a choice', sse(chunk({ choices: [{ index: 0, delta: {} }], usage: USAGE }))],
  ['a usage that is null', sse(chunk({ usage: null }))],
  ['an event without choices', sse({ usage: USAGE })],
  ['an event that has no end', EXTRA.trimEnd()],
  ['an event of 1 MB', sse(chunk({ usage: USAGE, padding: 'x'.repeat(1_000_000) }))],
])('%s passes unchanged', (_, text) => {
  expect(filtered(BEFORE + text, [10, 700, 20_000])).toBe(BEFORE + text)
})

test('a chunk that passes whole is the very array that came', () => {
  const filter = new UsageChunkFilter()
  const bytes = Buffer.from(BEFORE)
  expect(filter.push(bytes)).toBe(bytes)
  expect(filter.push(Buffer.from(EXTRA)).length).toBe(0)
})

test('bytes of an event over 16 KiB pass before it ends', () => {
  const filter = new UsageChunkFilter()
  const half = Buffer.from(`data: {"x":"${'x'.repeat(10_000)}`)
  expect(filter.push(half).length).toBe(0)
  expect(filter.push(half).length).toBe(2 * half.length)
  expect(filter.push(half)).toBe(half)
})
