import { describe, expect, test } from 'vitest'
import { type Term, windowTerms } from '../../../src/queries/window/terms.js'

const everywhere = () => true
const nowhere = () => false

/** `+day 2026-11-22`, `-row [a,b)`: what is added and taken away. */
function describeTerm({ sign, grain, range }: Term): string {
  const { from, after, to, before } = range
  if (from !== undefined && from === to) return `${sign === 1 ? '+' : '-'}${grain} ${from}`
  const start = from === undefined ? `(${after ?? ''}` : `[${from}`
  const end = to === undefined ? `${before ?? ''})` : `${to}]`
  return `${sign === 1 ? '+' : '-'}${grain} ${start},${end.replace('\u{10ffff}', '~')}`
}

const terms = (...parameters: Parameters<typeof windowTerms>) => windowTerms(...parameters).map(describeTerm)

test('all time is all days; what the roll-ups don’t know is all rows', () => {
  expect(terms({}, 'day', everywhere)).toEqual(['+day (,)'])
  expect(terms({ from: 'a', to: 'b' }, 'row', everywhere)).toEqual(['+row [a,b]'])
})

test('a window that begins after its end is nothing', () => {
  expect(
    terms({ from: '2026-11-23T00:00:00.000Z', to: '2026-11-22T00:00:00.000Z' }, 'day', everywhere),
  ).toEqual([])
})

describe('an end within a day', () => {
  test('after which there is no row is the whole day', () => {
    expect(terms({ to: '2026-11-22T10:10:00.000Z' }, 'day', nowhere)).toEqual([
      '+day (,2026-11-22)',
      '+day 2026-11-22',
    ])
  })

  test('is its hours, and the rows of less than half an hour', () => {
    expect(terms({ to: '2026-11-22T10:10:00.000Z' }, 'day', everywhere)).toEqual([
      '+day (,2026-11-22)',
      '+hour [2026-11-22,2026-11-22T10)',
      '+row [2026-11-22T10,2026-11-22T10:10:00.000Z]',
    ])
  })

  test('after the half of both is both whole, less the rows after it', () => {
    expect(terms({ to: '2026-11-22T13:40:00.000Z' }, 'day', everywhere)).toEqual([
      '+day (,2026-11-22)',
      '+day 2026-11-22',
      '-hour (2026-11-22T13,2026-11-22~)',
      '-row (2026-11-22T13:40:00.000Z,2026-11-22T13~)',
    ])
  })
})

test('a beginning is the other way round', () => {
  expect(terms({ from: '2026-11-22T02:50:00.000Z' }, 'day', everywhere)).toEqual([
    '+day (2026-11-22,)',
    '+day 2026-11-22',
    '-hour [2026-11-22,2026-11-22T02)',
    '-hour 2026-11-22T02',
    '+row [2026-11-22T02:50:00.000Z,2026-11-22T02~)',
  ])
})

test('both ends in one hour: its rows, or the hour less those at its ends', () => {
  const window = { from: '2026-11-22T10:10:00.000Z', to: '2026-11-22T10:20:00.000Z' }
  expect(terms(window, 'hour', everywhere)).toEqual([
    '+row [2026-11-22T10:10:00.000Z,2026-11-22T10:20:00.000Z]',
  ])
  expect(terms({ ...window, to: '2026-11-22T10:50:00.000Z' }, 'hour', everywhere)).toEqual([
    '+hour 2026-11-22T10',
    '-row [2026-11-22T10,2026-11-22T10:10:00.000Z)',
    '-row (2026-11-22T10:50:00.000Z,2026-11-22T10~)',
  ])
})
