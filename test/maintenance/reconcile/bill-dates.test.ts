import { describe, expect, test } from 'vitest'
import { type BillTimes, billDay } from '../../../src/maintenance/reconcile/bill-dates.js'
import { TimeZone } from '../../../src/queries/window/time-zone.js'

const UTC: BillTimes = { format: undefined, timezone: TimeZone.UTC, isWrittenInUtc: false }
const BERLIN: BillTimes = { ...UTC, timezone: new TimeZone('Europe/Berlin') }

test.each([
  ['2026-11-22', UTC, '2026-11-22'],
  ['2026-11-22', BERLIN, '2026-11-22'],
  ['2026-11-22T23:30:00Z', UTC, '2026-11-22'],
  ['2026-11-22T23:30:00Z', BERLIN, '2026-11-23'],
  ['2026-11-22T00:30:00+02:00', UTC, '2026-11-21'],
  ['2026-11-22 23:30:00.123', BERLIN, '2026-11-22'],
  ['2026-11-22 23:30', UTC, '2026-11-22'],
  ['2026-11-22 23:30:00', { ...BERLIN, isWrittenInUtc: true }, '2026-11-23'],
  ['2026-11-22', { ...BERLIN, isWrittenInUtc: true }, '2026-11-22'],
  ['11/12/2026', { ...UTC, format: 'dmy' }, '2026-12-11'],
  ['11/12/2026', { ...UTC, format: 'mdy' }, '2026-11-12'],
  ['1.2.2026 10:00', { ...UTC, format: 'dmy' }, '2026-02-01'],
  ['2026/11/22', { ...UTC, format: 'ymd' }, '2026-11-22'],
  ['2026-11-22T23:30:00Z', { ...BERLIN, format: 'dmy' }, '2026-11-23'],
] as [string, BillTimes, string][])('%s with %o is the day %s', (text, times, day) => {
  expect(billDay(text, times)).toEqual({ day })
})

describe('refuses', () => {
  test.each([
    ['11/12/2026', UTC, /--date-format dmy, mdy or ymd says whether the day, the month/],
    ['2026/11/12', UTC, /or the year comes first/],
    ['22/11/2026', { ...UTC, format: 'mdy' }, /no such day/],
    ['2026-11-22', { ...UTC, format: 'dmy' }, /expected one such as 22\/11\/2026/],
    ['11/12/26', { ...UTC, format: 'dmy' }, /expected one such as 22\/11\/2026/],
    ['11/12.2026', { ...UTC, format: 'dmy' }, /expected one such as/],
    ['2026-02-30', UTC, /no such day/],
    ['2026-11-22T25:00', UTC, /no such day or time/],
    ['1790553600', UTC, /expected 2026-11-22/],
    ['Total', UTC, /found the date 'Total'/],
    ['', UTC, /found the date ''/],
  ] as [string, BillTimes, RegExp][])('%s with %o', (text, times, problem) => {
    expect(billDay(text, times)).toEqual({ problem: expect.stringMatching(problem) })
  })
})
