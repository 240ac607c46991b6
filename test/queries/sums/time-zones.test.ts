import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { series, stats } from '../../../src/queries/index.js'
import { runs } from '../../support/runs.js'
import { filter, rows } from '../arbitrary-rows.js'
import { costOf, matches, type ReferenceRow } from '../reference.js'
import { fill, insert, test } from '../support.js'

const zone = fc.oneof(
  fc.constantFrom(
    'Europe/Berlin',
    'Asia/Calcutta',
    'Asia/Katmandu',
    'America/St_Johns',
    'Pacific/Apia',
    'UTC',
  ),
  fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
)

/** The first days of the rows: clocks change within them in some zones, and some had other offsets. */
const firstDay = fc.constantFrom(
  '2026-11-20',
  '2026-10-24',
  '2026-03-27',
  '2010-11-06',
  '2011-12-29',
  '1930-06-01',
)

function moved(row: ReferenceRow, first: string): ReferenceRow {
  const ms = Date.parse(row.timestamp) - Date.parse('2026-11-20') + Date.parse(first)
  return { ...row, timestamp: row.timestamp.length === 24 ? new Date(ms).toISOString() : row.timestamp }
}

function dayOf({ timestamp }: ReferenceRow, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(Date.parse(timestamp))
}

const isInstant = ({ timestamp }: ReferenceRow) => timestamp.length === 24

const countsOf = (days: Readonly<Record<string, { counts: { total: number } }>> = {}) =>
  Object.fromEntries(Object.entries(days).map(([day, { counts }]) => [day, counts.total]))

test('in any zone each request stands in the day that Intl says, and the days add up to the whole', ({
  database,
}) => {
  fc.assert(
    fc.property(rows, filter, zone, firstDay, (drawn, asked, timezone, first) => {
      const all = drawn.map((row) => moved(row, first)).filter(isInstant)
      fill(database, all)
      fc.pre(asked.model === undefined || all.some((row) => matches(row, { model: asked.model })))
      fc.pre(asked.provider === undefined || all.some((row) => matches(row, { provider: asked.provider })))
      const matching = all.filter((row) => matches(row, asked))
      const expected: Record<string, ReferenceRow[]> = {}
      for (const row of matching) {
        const day = dayOf(row, timezone)
        expected[day] = [...(expected[day] ?? []), row]
      }
      const { days = {}, counts } = stats(database, { ...asked, timezone, groupBy: 'day', unknown: true })
      expect(Object.keys(days)).toEqual(Object.keys(expected).sort())
      for (const [day, section] of Object.entries(days)) {
        const ofDay = expected[day] ?? []
        expect(section.counts.total).toBe(ofDay.length)
        expect(section.counts.error).toBe(ofDay.filter(({ success }) => success === 0).length)
        expect(section.costs.total_cost_sats).toBe(costOf(ofDay))
      }
      expect(Object.values(countsOf(days)).reduce((sum, total) => sum + total, 0)).toBe(counts.total)
    }),
    runs(35),
  )
})

test('days and hours of any zone add up to the whole, whatever rows have instead of a timestamp', ({
  database,
}) => {
  const period = fc.constantFrom('day', 'hour')
  fc.assert(
    fc.property(rows, zone, period, fc.boolean(), (all, timezone, groupBy, isOpen) => {
      fill(database, all)
      const window = isOpen ? {} : { since: '2026-11-21T09:30:00.000Z', until: '2026-11-22T22:00:30.000Z' }
      const answer = stats(database, { ...window, timezone, groupBy })
      const groups = Object.values(countsOf(answer.days ?? answer.hours))
      expect(groups.reduce((sum, total) => sum + total, 0)).toBe(answer.counts.total)
      expect(answer.counts.total).toBe(all.filter((row) => matches(row, window)).length)
    }),
    runs(18),
  )
})

test('a series has the days of the zone, those without requests too, and is what the groups say', ({
  database,
}) => {
  fc.assert(
    fc.property(rows, zone, firstDay, fc.constantFrom('day', 'hour'), (drawn, timezone, first, bucket) => {
      const all = drawn.map((row) => moved(row, first)).filter(isInstant)
      fill(database, all)
      const since = `${first}T05:10:00.000Z`
      const until = new Date(Date.parse(since) + 3 * 86_400_000).toISOString()
      const asked = { since, until, timezone, now: Date.parse(until), unknown: true }
      const answer = series(database, { ...asked, bucket })
      const { days, hours } = stats(database, { ...asked, groupBy: bucket })
      const groups = Object.entries(countsOf(days ?? hours))
      expect(answer.requests.filter((count) => count > 0)).toEqual(groups.map(([, count]) => count))
      const open = Object.values(days ?? hours ?? {}).reduce((sum, { counts }) => sum + (counts.open ?? 0), 0)
      expect(answer.open?.reduce((sum, count) => sum + count, 0)).toBe(open)
      expect(answer.timezone).toBe(timezone)
      for (const time of answer.times.slice(1)) expect(time > since && time <= until).toBe(true)
    }),
    runs(18),
  )
})

test('a month by day has a bucket for each day, however long', ({ database }) => {
  const { times } = series(database, {
    since: '2026-02-28T23:00:00Z',
    until: '2026-03-31T21:59:59.999Z',
    timezone: 'Europe/Berlin',
  })
  expect(times.length).toBe(31)
  expect(times.slice(27, 30)).toEqual([
    '2026-03-27T23:00:00.000Z',
    '2026-03-28T23:00:00.000Z',
    '2026-03-29T22:00:00.000Z',
  ])
})

describe('days are read from roll-ups', () => {
  /** A request each 17 minutes, of three models. */
  const month = Array.from({ length: 2500 }, (_, index) => ({
    timestamp: new Date(Date.parse('2026-10-10T00:03:00Z') + index * 17 * 60_000).toISOString(),
    model: `m${index % 3}`,
    cost_sats: index,
  }))
  /** Whoever still reads a row gives another answer then: the roll-ups know nothing of it. */
  const CHANGE_ROWS = 'UPDATE requests SET cost_sats = 1e9, latency_ms = 9999'
  const ask = (timezone: string) => ({
    since: '2026-10-11T00:00:00Z',
    until: '2026-11-07T23:59:59.999Z',
    timezone,
  })

  test.for(['Europe/Berlin', 'America/New_York', 'Pacific/Auckland', 'UTC'])(
    'alone in %s, whose edges are whole hours',
    (timezone, { database }) => {
      insert(database, ...month)
      const read = () => [
        series(database, { ...ask(timezone), unknown: true }),
        stats(database, { ...ask(timezone), groupBy: 'day', percentiles: true }),
      ]
      const answer = read()
      database.exec(CHANGE_ROWS)
      expect(read()).toEqual(answer)
    },
  )

  test('and from rows only within the hours at their edges, elsewhere', ({ database }) => {
    insert(database, ...month)
    const read = () => series(database, ask('Asia/Calcutta'))
    const answer = read()
    database.exec(`${CHANGE_ROWS} WHERE substr(timestamp, 12, 2) <> '18'`)
    expect(read()).toEqual(answer)
    database.exec(CHANGE_ROWS)
    expect(read()).not.toEqual(answer)
  })
})
