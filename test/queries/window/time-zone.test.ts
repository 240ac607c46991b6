import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TimeZone } from '../../../src/queries/window/time-zone.js'
import { runs } from '../../support/runs.js'

const ms = (text: string) => Date.parse(text)
const HOUR_MS = 3_600_000
const ZONES = Intl.supportedValuesOf('timeZone')

/** The days around an instant, each as its date and its length in hours. */
function daysAround(zone: string, instant: string): string[] {
  const at = ms(instant)
  return new TimeZone(zone)
    .periods('day', at - 24 * HOUR_MS, at + 24 * HOUR_MS)
    .map(({ key, startMs, endMs }) => `${key}: ${(endMs - startMs) / HOUR_MS} h`)
}

describe('a day', () => {
  test('of 23 or 25 hours is one day', () => {
    expect(daysAround('Europe/Berlin', '2026-03-29T12:00:00Z')).toContain('2026-03-29: 23 h')
    expect(daysAround('Europe/Berlin', '2026-10-25T12:00:00Z')).toContain('2026-10-25: 25 h')
  })

  test('begins after midnight if clocks skip it', () => {
    expect(daysAround('America/Sao_Paulo', '2018-11-04T12:00:00Z')).toContain('2018-11-04: 23 h')
    const zone = new TimeZone('America/Sao_Paulo')
    expect(new Date(zone.instantAt(ms('2018-11-04T00:00:00Z'), 'start')).toISOString()).toBe(
      '2018-11-04T03:00:00.000Z',
    )
  })

  test('that a zone skipped doesn’t exist', () => {
    expect(daysAround('Pacific/Apia', '2011-12-30T10:00:00Z')).toEqual([
      '2011-12-29: 24 h',
      '2011-12-31: 24 h',
    ])
  })

  test('may be there twice where clocks go back over midnight', () => {
    expect(daysAround('America/St_Johns', '2010-11-07T03:00:00Z').map((day) => day.slice(0, 10))).toEqual([
      '2010-11-06',
      '2010-11-07',
      '2010-11-06',
      '2010-11-07',
    ])
  })
})

test('an hour that clocks show twice is two, and one between half hours begins there', () => {
  const starts = (zone: string, from: string, to: string) =>
    new TimeZone(zone).periods('hour', ms(from), ms(to)).map(({ key }) => key.slice(11, 16))
  expect(starts('Europe/Berlin', '2026-10-25T00:00:00Z', '2026-10-25T02:00:00Z')).toEqual(['00:00', '01:00'])
  expect(starts('Asia/Calcutta', '2026-11-22T00:00:00Z', '2026-11-22T01:00:00Z')).toEqual(['23:30', '00:30'])
})

test('a local time that clocks skip or repeat is the edge that was meant', () => {
  const zone = new TimeZone('Europe/Berlin')
  const at = (local: string) =>
    (['start', 'end'] as const).map((edge) =>
      new Date(zone.instantAt(ms(`${local}Z`), edge)).toISOString().slice(0, 19),
    )
  expect(at('2026-11-22T00:00:00')).toEqual(['2026-11-21T23:00:00', '2026-11-21T23:00:00'])
  expect(at('2026-10-25T02:30:00')).toEqual(['2026-10-25T00:30:00', '2026-10-25T01:30:00'])
  expect(at('2026-03-29T02:30:00')).toEqual(['2026-03-29T01:00:00', '2026-03-29T00:59:59'])
})

test('any instant is shown as Intl shows it, and stands in the day that Intl says', () => {
  const instant = fc.integer({ min: ms('1850-01-01T00:00:00Z'), max: ms('2100-01-01T00:00:00Z') })
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), instant, (name, at) => {
      const zone = new TimeZone(name)
      const shown = new Intl.DateTimeFormat('sv-SE', {
        timeZone: name,
        dateStyle: 'short',
        timeStyle: 'medium',
      }).format(at)
      expect(zone.localText(at).slice(0, 19).replace('T', ' ')).toBe(shown)
      const days = zone.periods('day', at, at + 1)
      expect(days.map(({ key }) => key)).toEqual([shown.slice(0, 10)])
      const instants = (['start', 'end'] as const).map((edge) =>
        zone.instantAt(ms(`${zone.localText(at)}Z`), edge),
      )
      expect(instants).toContain(at)
    }),
    runs(200),
  )
})

test('periods have no gaps between them', () => {
  const instant = fc.integer({ min: ms('1880-01-01T00:00:00Z'), max: ms('2080-01-01T00:00:00Z') })
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      instant,
      fc.integer({ min: 1, max: 40 * 24 * HOUR_MS }),
      fc.constantFrom('day', 'hour'),
      (name, start, length, period) => {
        const found = new TimeZone(name).periods(period, start, start + length)
        expect(found[0]?.startMs).toBeLessThanOrEqual(start)
        expect(found.at(-1)?.endMs).toBeGreaterThanOrEqual(start + length)
        for (const [index, { startMs, endMs }] of found.entries()) {
          expect(startMs).toBeLessThan(endMs)
          expect(found[index + 1]?.startMs ?? endMs).toBe(endMs)
        }
      },
    ),
    runs(60),
  )
})

test('what isn’t a zone is refused with the nearest name', () => {
  const messages = {
    'Europe/Berln': 'Europe/Berlin',
    berlin: 'Europe/Berlin',
    'new york': 'America/New_York',
    '+02:00': null,
    '': null,
  }
  for (const [name, nearest] of Object.entries(messages)) {
    expect(() => new TimeZone(name)).toThrow(
      expect.objectContaining({
        code: 'INVALID_TIMEZONE',
        message: expect.stringMatching(
          nearest === null ? /such as Europe\/Berlin$/ : new RegExp(`; the nearest is ${nearest}$`),
        ),
      }),
    )
  }
})

test('the zone of the process changes nothing', () => {
  const source = new URL('../../../dist/queries/window/time-zone.js', import.meta.url).href
  const program = `import { TimeZone } from ${JSON.stringify(source)}
    process.stdout.write(new TimeZone('Asia/Tokyo').periods('day', 0, 1)[0].key)`
  const env = { ...process.env, TZ: 'America/New_York' }
  const found = execFileSync(process.execPath, ['--input-type=module', '-e', program], { env })
  expect(found.toString()).toBe('1970-01-01')
})
