import { expect, test } from 'vitest'
import { instantOf, TimeZone, windowLength } from '../../../src/queries/index.js'
import * as page from '../../../src/server/dashboard/page/time-window.js'
import { showZone } from '../../../src/server/dashboard/page/zone.js'

const NOW = Date.parse('2026-11-22T10:00:00.000Z')

test.for([
  ['last_1h', '2026-11-22T09:00:00.000Z', '2026-11-22T09:00:00.000Z'],
  ['last_30d', '2026-10-23T10:00:00.000Z', '2026-10-23T10:00:00.000Z'],
  ['90m', '2026-11-22T08:30:00.000Z', '2026-11-22T08:30:00.000Z'],
  ['1h', '2026-11-22T09:00:00.000Z', '2026-11-22T09:00:00.000Z'],
  ['2d', '2026-11-20T10:00:00.000Z', '2026-11-20T10:00:00.000Z'],
  ['1w', '2026-11-15T10:00:00.000Z', '2026-11-15T10:00:00.000Z'],
  ['9999999w', '0001-01-01T00:00:00.000Z', '0001-01-01T00:00:00.000Z'],
  ['2026-11-20', '2026-11-20T00:00:00.000Z', '2026-11-20T23:59:59.999Z'],
  ['2026-02', '2026-02-01T00:00:00.000Z', '2026-02-28T23:59:59.999Z'],
  ['2026', '2026-01-01T00:00:00.000Z', '2026-12-31T23:59:59.999Z'],
  ['2026-11-20T19:43', '2026-11-20T19:43:00.000Z', '2026-11-20T19:43:59.999Z'],
  ['2026-11-20 19:43+01:00', '2026-11-20T18:43:00.000Z', '2026-11-20T18:43:59.999Z'],
  ['2026-11-20t19:43:07', '2026-11-20T19:43:07.000Z', '2026-11-20T19:43:07.999Z'],
  ['2026-11-20T19:43:07.5', '2026-11-20T19:43:07.500Z', '2026-11-20T19:43:07.500Z'],
  // As in the API: these name an instant, with all of its digits.
  ['2026-11-20T19:43:07Z', '2026-11-20T19:43:07Z', '2026-11-20T19:43:07Z'],
  ['2026-11-20T19:43:07.0004+01:00', '2026-11-20T19:43:07.0004+01:00', '2026-11-20T19:43:07.0004+01:00'],
] as const)('%s begins and ends there', ([words, start, end]) => {
  expect([instantOf(words, 'start', NOW), instantOf(words, 'end', NOW)]).toEqual([start, end])
  // The page's URL has the same words.
  expect([page.instantOf(words, 'start', NOW), page.instantOf(words, 'end', NOW)]).toEqual([start, end])
})

test.for([
  '',
  'last_2h',
  'LAST_1H',
  'toString',
  '0h',
  '1H',
  '1.5h',
  '-1h',
  '1 h',
  '99999999h',
  '2026-02-30',
  '2026-13',
  '0001-00',
  '2026-11-20T',
  '2026-11-20T19',
  '2026-11-20T24:00',
  '2026-11-20Z',
  // A + that no one escaped.
  '2026-11-20T19:43:07 02:00',
  '20.11.2026',
  'now',
])('%j is no instant', (words) => {
  expect(instantOf(words, 'start', NOW)).toBeNull()
  expect(instantOf(words, 'end', NOW)).toBeNull()
  expect([page.instantOf(words, 'start', NOW), page.instantOf(words, 'end', NOW)]).toEqual([null, null])
})

test.for([
  ['2026-11-20', '2026-11-19T23:00:00.000Z', '2026-11-20T22:59:59.999Z'],
  ['2026-10-25', '2026-10-24T22:00:00.000Z', '2026-10-25T22:59:59.999Z'],
  ['2026-11-20T19:43', '2026-11-20T18:43:00.000Z', '2026-11-20T18:43:59.999Z'],
  ['2026-11-20T19:43:07Z', '2026-11-20T19:43:07Z', '2026-11-20T19:43:07Z'],
  ['2026-03-29T02:30', '2026-03-29T01:00:00.000Z', '2026-03-29T00:59:59.999Z'],
  ['today', '2026-11-21T23:00:00.000Z', '2026-11-22T22:59:59.999Z'],
  ['2026-10', '2026-09-30T22:00:00.000Z', '2026-10-31T22:59:59.999Z'],
  ['last_month', '2026-09-30T22:00:00.000Z', '2026-10-31T22:59:59.999Z'],
  ['1h', '2026-11-22T09:00:00.000Z', '2026-11-22T09:00:00.000Z'],
] as const)('%s in Berlin begins and ends there', ([words, start, end]) => {
  const zone = new TimeZone('Europe/Berlin')
  expect([instantOf(words, 'start', NOW, zone), instantOf(words, 'end', NOW, zone)]).toEqual([start, end])
  showZone('Europe/Berlin')
  const shown = [page.instantOf(words, 'start', NOW), page.instantOf(words, 'end', NOW)]
  showZone('')
  expect(shown).toEqual([start, end])
})

test('only a length is the length of a window', () => {
  for (const length of [windowLength, page.windowLength]) {
    expect(['last_7d', '7d', '2026-11-20'].map(length)).toEqual([604_800_000, 604_800_000, null])
  }
})
