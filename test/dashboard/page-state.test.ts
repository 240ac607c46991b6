import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULTS, formatState, parseState } from '../../src/server/dashboard/page-state.js'
import { refreshEveryMs, windowBefore } from '../../src/server/dashboard/time-window.js'

const text = fc.string({ unit: 'grapheme' })
const flag = fc.constantFrom('' as const, 'true' as const, 'false' as const)
const timestamp = fc
  .date({ min: new Date('2000-01-01'), max: new Date('2099-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString())

const state = fc
  .record({
    range: fc.constantFrom('1h' as const, '24h' as const, '7d' as const, '30d' as const),
    since: fc.option(timestamp),
    until: fc.option(timestamp),
    model: text,
    provider: text,
    labels: fc.dictionary(fc.string({ minLength: 1, unit: 'grapheme' }), text),
    by: fc.constantFrom('model' as const, 'provider' as const),
    success: flag,
    streaming: flag,
    correlationId: text,
    sort: fc.constantFrom('timestamp' as const, 'cost_sats' as const, 'latency_ms' as const),
    order: fc.constantFrom('asc' as const, 'desc' as const),
    request: fc.option(fc.nat()),
  })
  // A window of one's own has no range, and only it has an end.
  .map((state) => (state.since === null ? { ...state, until: null } : { ...state, range: DEFAULTS.range }))

describe('the URL keeps the state of the page', () => {
  test('any state comes back from its query string', () => {
    fc.assert(
      fc.property(state, (state) => {
        const read = parseState(formatState(state))
        expect({ ...read, labels: { ...read.labels } }).toEqual({ ...state, labels: { ...state.labels } })
      }),
    )
  })

  test('only what differs from the defaults stands in it, and times stay readable', () => {
    expect(formatState(DEFAULTS)).toBe('')
    expect(formatState({ ...DEFAULTS, range: '7d', model: 'a/b', labels: { tier: 'local' } })).toBe(
      '?range=7d&model=a/b&label:tier=local',
    )
    expect(formatState({ ...DEFAULTS, since: '2026-11-25T08:00:00.000Z' })).toBe(
      '?since=2026-11-25T08:00:00.000Z',
    )
  })

  test('what it doesn’t understand counts as left out', () => {
    const search =
      '?range=2h&since=yesterday&until=2026-11-25T08:00:00Z&sort=model&order=up&success=1&request=x'
    expect(parseState(search)).toEqual(DEFAULTS)
  })
})

describe('windows', () => {
  test('the one before ends just before this one begins, and is as long', () => {
    expect(windowBefore({ since: '2026-11-25T08:00:00.000Z', until: '2026-11-25T09:00:00.000Z' })).toEqual({
      since: '2026-11-25T07:00:00.000Z',
      until: '2026-11-25T07:59:59.999Z',
    })
  })

  test('what lies in the past is not asked for again', () => {
    const now = Date.parse('2026-11-25T09:00:00Z')
    expect(refreshEveryMs({ range: '1h', until: null }, now)).toBe(10_000)
    expect(refreshEveryMs({ range: '30d', until: null }, now)).toBe(60_000)
    expect(refreshEveryMs({ range: '1h', until: '2026-11-25T08:00:00.000Z' }, now)).toBe(null)
  })
})
