import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalTimestamp } from '../../src/events/timestamp.js'

describe('a strict RFC 3339 timestamp becomes UTC with milliseconds', () => {
  test.each([
    ['2026-11-22T19:43:00.123Z', '2026-11-22T19:43:00.123Z'],
    ['2026-11-22T19:43:00Z', '2026-11-22T19:43:00.000Z'],
    ['2026-11-22t19:43:00z', '2026-11-22T19:43:00.000Z'],
    ['2026-11-22t19:43:00.123z', '2026-11-22T19:43:00.123Z'],
    ['2026-11-22 19:43:00.123Z', '2026-11-22T19:43:00.123Z'],
    ['2026-11-22T19:43:00.1Z', '2026-11-22T19:43:00.100Z'],
    ['2026-11-22T19:43:00.129999999999999999999Z', '2026-11-22T19:43:00.129Z'],
    ['2026-11-22T23:59:59.9999Z', '2026-11-22T23:59:59.999Z'],
    ['2026-11-22T19:43:00.123+02:00', '2026-11-22T17:43:00.123Z'],
    ['2026-11-22T19:43:00.123456-05:30', '2026-11-23T01:13:00.123Z'],
    ['2026-11-22T19:43:00+00:00', '2026-11-22T19:43:00.000Z'],
    ['2026-11-22T19:43:00-00:00', '2026-11-22T19:43:00.000Z'],
    ['2026-11-22T19:43:00+23:59', '2026-11-21T19:44:00.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29T00:00:00.000Z', '2000-02-29T00:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.999Z'],
    ['2016-12-31T23:59:60.500Z', '2016-12-31T23:59:59.999Z'],
    ['2017-01-01T05:29:60+05:30', '2016-12-31T23:59:59.999Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['0099-06-01T00:00:00+01:00', '0099-05-31T23:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['9999-12-31T23:59:59.999+00:01', '9999-12-31T23:58:59.999Z'],
  ])('%s', (text, canonical) => {
    expect(canonicalTimestamp(text)).toBe(canonical)
  })
})

describe('anything else is refused', () => {
  test.each([
    '',
    'now',
    '2026-11-22',
    '2026-11-22T19:43Z',
    '2026-11-22T19:43:00',
    '2026-11-22T19:43:00.Z',
    '2026-11-22T19:43:00,123Z',
    '2026-11-22T19:43:00.123',
    '2026-11-22T19:43:00+0200',
    '2026-11-22T19:43:00+02',
    '2026-11-22T19:43:00+24:00',
    '2026-11-22T19:43:00+02:60',
    '2026-11-22T24:00:00Z',
    '2026-11-22T23:60:00Z',
    '2026-11-22T23:59:61Z',
    '2026-11-22T19:43:60Z',
    '2026-12-31T23:59:60+01:00',
    '2026-02-30T00:00:00.000Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00.000Z',
    '2026-13-01T00:00:00.000Z',
    '2026-00-01T00:00:00.000Z',
    '2026-11-00T00:00:00.000Z',
    '2026-11-32T00:00:00Z',
    '0000-01-01T00:00:00.000Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59.999-00:01',
    '12026-11-22T19:43:00Z',
    '-2026-11-22T19:43:00Z',
    '+02026-11-22T19:43:00Z',
    ' 2026-11-22T19:43:00.123Z',
    '2026-11-22T19:43:00.123Z ',
    '2026-11-22T19:43:00.123Z\n',
    '2026-11-22_19:43:00.123Z',
    '٢٠٢٦-11-22T19:43:00.123Z',
    '1795376580',
    'Sun, 22 Nov 2026 19:43:00 GMT',
  ])('%j', (text) => {
    expect(canonicalTimestamp(text)).toBeNull()
  })
})

const inRange = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})

test('any date of the years 1 to 9999 stays as it is', () => {
  fc.assert(
    fc.property(inRange, (date) => {
      expect(canonicalTimestamp(date.toISOString())).toBe(date.toISOString())
    }),
  )
})

test('the same instant with any offset is the same text', () => {
  const offset = fc.integer({ min: -1439, max: 1439 })
  fc.assert(
    fc.property(inRange, offset, (date, minutes) => {
      const local = new Date(date.getTime() + minutes * 60_000)
      fc.pre(local.getUTCFullYear() >= 0 && local.getUTCFullYear() <= 9999)
      const [hh, mm] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
      const sign = minutes < 0 ? '-' : '+'
      const suffix = `${sign}${String(hh).padStart(2, '0')}:${String(mm).padStart(2, '0')}`
      expect(canonicalTimestamp(local.toISOString().replace('Z', suffix))).toBe(date.toISOString())
    }),
  )
})

test('a change of any character of the stored form is noticed', () => {
  const text = '2024-02-29T19:43:00.123Z'
  for (let at = 0; at < text.length; at++) {
    for (const character of '0123456789-:.TZtz +/;') {
      const changed = text.slice(0, at) + character + text.slice(at + 1)
      const found = canonicalTimestamp(changed)
      if (found === null) continue
      // What is taken is the same instant by Date, which reads this form and knows no impossible day but rolls it over.
      expect(found).toBe(new Date(changed.toUpperCase().replace(' ', 'T')).toISOString())
      expect(found.slice(0, 19)).toBe(changed.slice(0, 19).toUpperCase().replace(' ', 'T'))
    }
  }
  for (const impossible of [
    '2023-02-29',
    '2024-04-31',
    '2024-13-01',
    '2024-00-10',
    '2024-01-00',
    '0000-01-01',
  ]) {
    expect(canonicalTimestamp(`${impossible}T00:00:00.000Z`)).toBeNull()
  }
  for (const time of ['24:00:00', '23:60:00', '23:59:61']) {
    expect(canonicalTimestamp(`2024-01-01T${time}.000Z`)).toBeNull()
  }
})
