import { describe, expect, test } from 'vitest'
import { rangeStart, resolveWindow } from '../../../src/queries/index.js'

const NOW = Date.parse('2026-11-22T10:00:00.000Z')
const now = '2026-11-22T10:00:00.000Z'

test.for([
  [{}, '2026-11-15T10:00:00.000Z', now],
  [{ range: 'last_1h' }, '2026-11-22T09:00:00.000Z', now],
  [{ range: 'last_24h' }, '2026-11-21T10:00:00.000Z', now],
  [{ range: 'last_7d' }, '2026-11-15T10:00:00.000Z', now],
  [{ range: 'last_30d' }, '2026-10-23T10:00:00.000Z', now],
  [{ since: '2026-01-01 00:00:00-01:30', range: 'last_1h' }, '2026-01-01T01:30:00.000Z', now],
  [{ until: '2020-01-01T00:00:00z' }, '2026-11-15T10:00:00.000Z', '2020-01-01T00:00:00.000Z'],
  [{ before: '2026-11-22T00:00:00Z' }, '2026-11-15T10:00:00.000Z', undefined, '2026-11-22T00:00:00.000Z'],
] as const)('%j', ([parameters, since, until, before]) => {
  expect(resolveWindow(parameters, NOW)).toEqual({ since, until, before })
})

test.for([
  [{ range: 'today' }, '2026-11-22T00:00:00.000Z', now],
  [{ range: 'yesterday' }, '2026-11-21T00:00:00.000Z', undefined, '2026-11-22T00:00:00.000Z'],
  [{ range: 'today', timezone: 'Asia/Tokyo' }, '2026-11-21T15:00:00.000Z', now],
  [{ range: 'this_month', timezone: 'Europe/Berlin' }, '2026-10-31T23:00:00.000Z', now],
  [
    { range: 'last_month', timezone: 'Europe/Berlin' },
    '2026-09-30T22:00:00.000Z',
    undefined,
    '2026-10-31T23:00:00.000Z',
  ],
  [
    { range: '2026-10', timezone: 'Europe/Berlin' },
    '2026-09-30T22:00:00.000Z',
    undefined,
    '2026-10-31T23:00:00.000Z',
  ],
  [{ range: '2026' }, '2026-01-01T00:00:00.000Z', now],
  // A bound that is given is the window's.
  [
    { range: 'last_month', until: '2026-11-05T00:00:00Z' },
    '2026-10-01T00:00:00.000Z',
    '2026-11-05T00:00:00.000Z',
  ],
  [{ range: 'yesterday', since: '2026-11-01T00:00:00Z' }, '2026-11-01T00:00:00.000Z', now],
] as const)('a day or month of a calendar: %j', ([parameters, since, until, before]) => {
  expect(resolveWindow(parameters, NOW)).toEqual({ since, until, before })
})

test('last month in January is December', () => {
  expect(resolveWindow({ range: 'last_month' }, Date.parse('2027-01-01T00:00:00.000Z'))).toEqual({
    since: '2026-12-01T00:00:00.000Z',
    before: '2027-01-01T00:00:00.000Z',
  })
})

describe('what is wrong is said, the first in the order of checks', () => {
  test.for([
    [
      { since: '2026-11-22', range: 'x', until: 'x' },
      /^Invalid 'since' timestamp: '2026-11-22', expected RFC 3339[^%]*range=2026-11-22 or range=2026-11 alone$/,
    ],
    [
      { range: 'LAST_1H', until: 'x' },
      "Invalid range 'LAST_1H'. Supported: last_1h, last_24h, last_7d, last_30d",
    ],
    [
      { since: 'x', timezone: 'Europe/Berln' },
      "Invalid timezone 'Europe/Berln', expected a name of the IANA database such as Europe/Berlin; the nearest is Europe/Berlin",
    ],
    [{ range: '2026-13' }, "Invalid range '2026-13'. Supported: last_1h, last_24h, last_7d, last_30d"],
    [{ range: 'toString' }, /^Invalid range 'toString'/],
    [{ since: now, range: '' }, /^Invalid range ''/],
    [{ before: '2026-11-22' }, /^Invalid 'before' timestamp: '2026-11-22'/],
    [{ until: '2026-02-30T00:00:00Z' }, /^Invalid 'until' timestamp: '2026-02-30T00:00:00Z'/],
  ] as const)('%j', ([parameters, message]) => {
    expect(() => resolveWindow(parameters, NOW)).toThrow(message)
  })
})

test('a range is what it says', () => {
  expect(rangeStart('last_1h', NOW)).toBe('2026-11-22T09:00:00.000Z')
})
