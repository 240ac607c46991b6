import { expect, test } from 'vitest'
import { addDays, dayOf, startOfDay } from '../../../src/maintenance/reconcile/zone-days.js'

const start = (day: string, timezone: string) => new Date(startOfDay(day, timezone)).toISOString()

test.each([
  ['2026-11-22', 'UTC', '2026-11-22T00:00:00.000Z'],
  ['2026-11-22', 'Europe/Berlin', '2026-11-21T23:00:00.000Z'],
  ['2026-11-22', 'Asia/Kathmandu', '2026-11-21T18:15:00.000Z'],
  ['2026-11-22', 'Pacific/Kiritimati', '2026-11-21T10:00:00.000Z'],
  ['2026-11-22', 'Pacific/Pago_Pago', '2026-11-22T11:00:00.000Z'],
  // Clocks went forward at midnight, and the day began at one o'clock.
  ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00.000Z'],
])('%s in %s begins at %s', (day, timezone, expected) => {
  expect(start(day, timezone)).toBe(expected)
  expect(dayOf(startOfDay(day, timezone), timezone)).toBe(day)
  expect(dayOf(startOfDay(day, timezone) - 1, timezone)).toBe(addDays(day, -1))
})

test('a day has 23 or 25 hours when clocks change', () => {
  const hours = (day: string) =>
    (startOfDay(addDays(day, 1), 'Europe/Berlin') - startOfDay(day, 'Europe/Berlin')) / 3_600_000
  expect([hours('2026-03-29'), hours('2026-10-25'), hours('2026-11-22')]).toEqual([23, 25, 24])
})
