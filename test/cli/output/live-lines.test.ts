import { expect, test } from 'vitest'
import { formatFollowed, formatHeader } from '../../../src/cli/output/follow-line.js'
import { LiveLines } from '../../../src/cli/output/live-lines.js'
import { formatRequestTable } from '../../../src/cli/output/request-table.js'
import type { RequestEntry } from '../../../src/queries/rows/request-entry.js'

const ENTRY = {
  id: 1,
  timestamp: '2026-11-22T10:00:00.000Z',
  model: 'gpt-4o',
  provider: 'openai',
  success: true,
  streaming: false,
  state: 'finished',
  tokens: { input: 1, output: 2 },
  cost: { usd: 0.5 },
  timing: { latency_ms: 100 },
}

/** A terminal that knows what these lines use: line feeds, and going up to erase what is below. */
class Screen {
  columns = 10
  rows = 5
  /** All rows that were ever shown, the last ones on the screen; the cursor is below them. */
  readonly shown: string[] = []

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
    for (const [, up, line] of text.matchAll(/\x1b\[(\d+)A\r\x1b\[J|([^\n\x1b]*)\n/g)) {
      if (up !== undefined) this.shown.length = Math.max(0, this.shown.length - Number(up))
      else this.shown.push(...(line === '' ? [''] : (line?.match(/.{1,10}/g) ?? [])))
    }
  }
}

test('a line changes in its place, those after it stay', () => {
  const screen = new Screen()
  const lines = new LiveLines(screen)
  lines.put(null, 'header')
  lines.put(1, 'open')
  lines.put(2, 'b')
  lines.flush()
  lines.put(1, 'ended')
  lines.put(3, 'c')
  expect(screen.shown).toEqual(['header', 'open', 'b'])
  lines.flush()
  expect(screen.shown).toEqual(['header', 'ended', 'b', 'c'])
})

test('a change may take more rows than the line before, or fewer', () => {
  const screen = new Screen()
  const lines = new LiveLines(screen)
  lines.put(1, 'open')
  lines.put(2, 'x')
  lines.flush()
  lines.put(1, 'twelve chars')
  lines.flush()
  expect(screen.shown).toEqual(['twelve cha', 'rs', 'x'])
  lines.put(1, 'short')
  lines.flush()
  expect(screen.shown).toEqual(['short', 'x'])
})

test('a line that has left the screen, or was moved by a new size, comes again', () => {
  const screen = new Screen()
  const lines = new LiveLines(screen)
  for (const key of [1, 2, 3, 4, 5]) lines.put(key, `line ${key}`)
  lines.flush()
  expect([lines.has(1), lines.has(2)]).toEqual([false, true])
  lines.put(1, 'ended 1')
  lines.put(5, 'ended 5')
  lines.flush()
  expect(screen.shown).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'ended 5', 'ended 1'])
  lines.release()
  lines.put(5, 'again')
  lines.flush()
  expect(screen.shown.slice(-2)).toEqual(['ended 1', 'again'])
})

test('a followed line names retries and how long a stream ran; its latency stays what it was', () => {
  const at = (members: object) =>
    formatFollowed({ ...ENTRY, ...members } as unknown as RequestEntry, ['usd'], 140)
      .map(([, text]) => text)
      .join(' ')
  const error = { status: 429, message: 'slow down' }
  expect(at({ attempt: 0 })).toMatch(/✓ .* 100 ms$/)
  expect(at({ attempt: 1 })).toMatch(/✓ .* 100 ms ok \(retry 1\)$/)
  expect(at({ attempt: 2, success: false, error })).toMatch(/✗ .* 100 ms failed 429 \(retry 2\) slow down$/)
  const stream = { streaming: true, timing: { latency_ms: 100, stream_duration_ms: 1002 } }
  expect(at({ streaming: true, state: 'open' })).toMatch(/▸ .* 100 ms open$/)
  expect(at(stream)).toMatch(/■ .* 100 ms ok \(stream 1,002 ms\)$/)
  expect(at({ ...stream, attempt: 1, success: false })).toMatch(
    /✗ .* 100 ms failed \(retry 1, stream 1,002 ms\)$/,
  )
})

test.each([60, 80, 110])(
  'on a page of %i, a table of requests keeps statuses, retries and reasons',
  (width) => {
    const message = 'aborted by the client, which had waited for a minute'
    const entries = [
      { ...ENTRY, model: 'a-model-with-a-very-long-name-indeed', attempt: 0 },
      { ...ENTRY, attempt: 1, success: false, error: { status: 429, message } },
      { ...ENTRY, success: false, error: { status: null, message } },
    ] as unknown as RequestEntry[]
    const lines = formatRequestTable(entries, ['sats', 'usd'], width).split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width)
    expect(lines[2]).toContain('failed 429 (retry 1)')
    expect(lines[3]).toContain('failed aborted by')
    if (width >= 80) expect(lines[3]).toContain('failed aborted by the clie')
  },
)

test.each([40, 80, 140])('the titles stand above their columns on a page of %i', (width) => {
  const line = formatFollowed(ENTRY as unknown as RequestEntry, ['usd'], width)
    .map(([, text]) => text)
    .join(' ')
  const header = formatHeader(['usd'], width)
  expect(header.length).toBeLessThanOrEqual(width)
  expect(header.indexOf('model')).toBe(line.indexOf('gpt-4o'))
  expect(header.indexOf('latency') + 7).toBe(line.length)
  if (width >= 94) expect(header.indexOf('provider')).toBe(line.indexOf('openai'))
  if (width >= 81) expect(header.indexOf('out') + 3).toBe(line.indexOf('→ 2') + 3)
})
