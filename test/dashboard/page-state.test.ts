import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DEFAULTS,
  FILTERS,
  formatState,
  parseState,
  separatesAttempts,
} from '../../src/server/dashboard/page/page-state.js'
import {
  endFromInput,
  endsNow,
  presetOf,
  refreshEveryMs,
  resolveWindow,
} from '../../src/server/dashboard/page/time-window.js'
import { beforeName, windowBefore } from '../../src/server/dashboard/page/window-before.js'

const text = fc.string({ unit: 'grapheme' })
const window = fc.record({
  range: text,
  since: fc.option(text),
  until: fc.option(text),
  before: fc.option(text),
})
const filters = fc.record(Object.fromEntries(FILTERS.map((name) => [name, text])))
const state = fc
  .record({
    labels: fc.dictionary(fc.string({ minLength: 1, unit: 'grapheme' }), text),
    by: text,
    sort: text,
    order: text,
    request: fc.option(fc.integer({ min: 1 })),
  })
  .chain((shown) =>
    fc.tuple(window, filters).map(([window, filters]) => ({ ...DEFAULTS, ...window, ...filters, ...shown })),
  )

describe('the URL keeps the state of the page', () => {
  test('any state comes back from its query string', () => {
    fc.assert(
      fc.property(state, (state) => {
        const read = parseState(formatState(state))
        expect({ ...read, labels: { ...read.labels } }).toEqual({
          ...state,
          range: presetOf(state.range),
          labels: { ...state.labels },
        })
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

  test('a range that means the same as a preset is that preset', () => {
    const ranges = ['last_1h', '60m', '1d', 'last_7d', '1w', '2d', 'today', 'nonsense']
    expect(ranges.map((range) => parseState(`?range=${range}`).range)).toEqual([
      '1h',
      '1h',
      '24h',
      '7d',
      '7d',
      '2d',
      'today',
      'nonsense',
    ])
  })

  test('filters by what attempts of one request differ in are told apart from those of whole requests', () => {
    const separates = (search: string) => separatesAttempts(parseState(search))
    expect(separates('?range=1h&label:team=search&policy=cheap&correlation_id=x')).toBe(false)
    for (const filter of ['attempt=1', 'success=false', 'provider=openai']) {
      expect(separates(`?${filter}`), filter).toBe(true)
    }
  })

  test('the rest is kept to be shown: other names, names given twice, an id that isn’t one', () => {
    const { notUnderstood, ...rest } = parseState(
      '?modle=gpt-4o&group_by=provider&by=model&request=x&label:=1',
    )
    expect(notUnderstood).toEqual(['modle=gpt-4o', 'by=model, which is given twice', 'request=x', 'label:=1'])
    expect(rest).toEqual({ ...DEFAULTS, by: 'provider', notUnderstood: undefined })
  })
})

test('a range by its date has bounds, which the form for them shows', () => {
  const month = parseState('?range=2026-10')
  expect(month).toMatchObject({ range: '24h', since: '2026-10', until: '2026-10' })
  expect(formatState(month)).toBe('?range=2026-10')
  const upTo = parseState('?range=2026-10&before=2026-10-03')
  expect(upTo).toMatchObject({ since: '2026-10', until: null, before: '2026-10-03' })
})

const NOW = Date.parse('2026-11-25T09:00:00.000Z')
const NO_WINDOW = { range: '24h', since: null, until: null, before: null }

describe('windows', () => {
  test.for([
    [{ range: '90m' }, { since: '2026-11-25T07:30:00.000Z', before: '2026-11-25T09:00:00.000Z' }],
    [{ range: 'last_24h' }, { since: '2026-11-24T09:00:00.000Z', before: '2026-11-25T09:00:00.000Z' }],
    [{ since: '2d' }, { since: '2026-11-23T09:00:00.000Z', before: '2026-11-25T09:00:00.000Z' }],
    [
      { since: '2026-11-24', until: '2026-11-24' },
      { since: '2026-11-24T00:00:00.000Z', until: '2026-11-24T23:59:59.999Z' },
    ],
    [
      { since: '2026-11-24T10:00', before: '2026-11-25' },
      { since: '2026-11-24T10:00:00.000Z', before: '2026-11-25T00:00:00.000Z' },
    ],
    [{ range: 'today' }, { since: '2026-11-25T00:00:00.000Z', before: '2026-11-25T09:00:00.000Z' }],
    [{ range: 'last_month' }, { since: '2026-10-01T00:00:00.000Z', before: '2026-11-01T00:00:00.000Z' }],
    [
      { since: 'yesterday', until: 'yesterday' },
      { since: '2026-11-24T00:00:00.000Z', until: '2026-11-24T23:59:59.999Z' },
    ],
    // For the server to judge.
    [
      { since: 'someday', until: '2026-11-24T10:00:00 02:00' },
      { since: 'someday', until: '2026-11-24T10:00:00 02:00' },
    ],
    [
      { since: '2026-11-24T10:00:00Z', until: '2026-11-24T11:00:00Z', before: 'x' },
      { since: '2026-11-24T10:00:00Z', until: '2026-11-24T11:00:00Z', before: 'x' },
    ],
  ] as const)('%j is %j', ([window, bounds]) => {
    expect(resolveWindow({ ...NO_WINDOW, ...window }, NOW)).toEqual(bounds)
  })

  test.for([
    [{ range: 'garbage' }, /^Invalid range 'garbage'\. Expected 1h, 24h, 7d, 30d, or a length such as 90m/],
    [{ until: '2026-11-24T10:00:00Z' }, /'until' without 'since'.*add the beginning/],
  ] as const)('%j has none, and the reason is said', ([window, reason]) => {
    expect(() => resolveWindow({ ...NO_WINDOW, ...window }, NOW)).toThrow(reason)
  })

  test.for([
    ['2026-11-24T23:59:59', '2026-11-25T00:00:00.000Z'],
    ['2026-11-25T00:00', '2026-11-25T00:00:00.000Z'],
    ['2026-11-25T00:00:00', '2026-11-25T00:00:00.000Z'],
    ['2026-11-24T23:59:59.5', '2026-11-25T00:00:00.000Z'],
    ['', null],
  ] as const)('the end %j, as typed, is before %j', ([typed, before]) => {
    expect(endFromInput(typed)).toBe(before)
  })

  test.for([
    ['2026-10', '2026-10', '2026-09-01T00:00:00.000Z', '2026-09-30T23:59:59.999Z', 'the month before'],
    ['2026-10-01', '2026-10-31', '2026-09-01T00:00:00.000Z', '2026-09-30T23:59:59.999Z', 'the month before'],
    ['2025', '2025', '2024-01-01T00:00:00.000Z', '2024-12-31T23:59:59.999Z', 'the year before'],
    ['2026-11-24', '2026-11-24', '2026-11-23T00:00:00.000Z', '2026-11-23T23:59:59.999Z', 'the day before'],
    // It isn't over.
    [
      '2026-11',
      '2026-11',
      '2026-10-01T00:00:00.000Z',
      '2026-10-25T08:59:59.999Z',
      'the same part of the month before',
    ],
    [
      '2026-10-02',
      '2026-10-31',
      '2026-09-02T00:00:00.000Z',
      '2026-10-01T23:59:59.999Z',
      'the same length of time before',
    ],
  ] as const)('%s to %s is compared with the time from %s to %s', ([since, until, first, last, name]) => {
    const asked = { ...NO_WINDOW, since, until }
    const { until: end = '', ...bounds } = resolveWindow(asked, NOW)
    expect(windowBefore({ ...bounds, until: end }, asked, NOW)).toEqual({
      since: first,
      until: last,
      before: null,
    })
    expect(beforeName(asked, NOW)).toBe(name)
  })

  test('the window before ends just before this one begins, and is as long', () => {
    expect(
      windowBefore({ since: '2026-11-25T08:00:00.000Z', until: '2026-11-25T08:59:59.999Z' }, null, NOW),
    ).toEqual({
      since: '2026-11-25T07:00:00.000Z',
      until: '2026-11-25T07:59:59.999Z',
      before: null,
    })
  })

  test.for([
    [
      'today',
      '2026-11-25T00:00:00.000Z',
      '2026-11-25T08:59:59.999Z',
      '2026-11-24',
      '2026-11-24T08:59:59.999Z',
    ],
    [
      'yesterday',
      '2026-11-24T00:00:00.000Z',
      '2026-11-24T23:59:59.999Z',
      '2026-11-23',
      '2026-11-23T23:59:59.999Z',
    ],
    [
      'last_month',
      '2026-10-01T00:00:00.000Z',
      '2026-10-31T23:59:59.999Z',
      '2026-09-01',
      '2026-09-30T23:59:59.999Z',
    ],
    // February has no 30 days.
    [
      'this_month',
      '2026-03-01T00:00:00.000Z',
      '2026-03-30T11:59:59.999Z',
      '2026-02-01',
      '2026-02-28T23:59:59.999Z',
    ],
  ] as const)(
    'the window before %s is the same part of the day or month before',
    ([range, since, until, day, end]) => {
      expect(windowBefore({ since, until }, { ...NO_WINDOW, range }, NOW)).toEqual({
        since: `${day}T00:00:00.000Z`,
        until: end,
        before: null,
      })
    },
  )

  test('a window in the past is not asked for again', () => {
    expect(refreshEveryMs({ ...NO_WINDOW, range: '1h' }, NOW)).toBe(10_000)
    expect(refreshEveryMs({ ...NO_WINDOW, range: '30d' }, NOW)).toBe(60_000)
    expect(refreshEveryMs({ ...NO_WINDOW, since: '2026-11-24', until: '2026-11-24' }, NOW)).toBe(null)
    expect(refreshEveryMs({ ...NO_WINDOW, since: '2026-11-24', before: '2026-11-26' }, NOW)).toBe(30_000)
    expect(['today', 'yesterday'].map((range) => endsNow({ ...NO_WINDOW, range }))).toEqual([true, false])
  })
})
