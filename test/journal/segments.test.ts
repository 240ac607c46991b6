import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { JournalError } from '../../src/journal/errors.js'
import {
  distrustMarker,
  listSegments,
  nextSegmentOfDay,
  segmentOf,
  segmentOfId,
  segmentToWrite,
  startOfDay,
  utcDay,
} from '../../src/journal/segments.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { temporaryDirectory } from './support.js'

function listing(...files: string[]) {
  const directory = temporaryDirectory()
  for (const file of files) writeFileSync(join(directory, file), '')
  return listSegments(directory)
}

describe('names', () => {
  test('say day and number, and are in the order of their ids', () => {
    expect(segmentOf('2026-11-22', 0)).toStrictEqual({
      name: '2026-11-22.ndjson',
      day: '2026-11-22',
      number: 0,
      id: 20261122000,
    })
    expect(segmentOf('2026-11-22', 7)).toMatchObject({ name: '2026-11-22_007.ndjson', id: 20261122007 })
    const segments = ['2026-11-22', '2026-11-23'].flatMap((day) =>
      [0, 1, 2, 10, 999].map((n) => segmentOf(day, n)),
    )
    expect(segments.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toStrictEqual(segments)
    expect(segments.toSorted((a, b) => a.id - b.id)).toStrictEqual(segments)
  })

  test('follow from their ids; other numbers have none', () => {
    for (const name of [segmentOf('2026-11-22', 7), segmentOf('0001-01-01', 0)]) {
      expect(segmentOfId(name.id)).toEqual(name)
    }
    for (const id of [0, 7, -20261122000, 20261322000, 20260230000, 202611220000, 1.5]) {
      expect(segmentOfId(id)).toBeNull()
    }
  })

  test('the day is that of UTC', () => {
    expect(utcDay(Date.parse('2026-11-22T23:59:59.999Z'))).toBe('2026-11-22')
    expect(utcDay(Date.parse('2026-11-22T23:59:59.999-01:00'))).toBe('2026-11-23')
    expect(startOfDay(segmentOf('2026-11-22', 3))).toBe('2026-11-22T00:00:00.000Z')
  })
})

describe('listing', () => {
  test('gives segments in order, and leaves every other name alone', () => {
    const names = listing(
      '2026-11-22_010.ndjson',
      '2026-11-22_002.ndjson',
      '2026-11-22.ndjson',
      '2026-11-21_001.ndjson',
      'journal.json',
      'README.md',
      '.journal-1-x.tmp',
      '2026-11-22_000.ndjson',
      '2026-11-22_01.ndjson',
      '2026-11-22_1000.ndjson',
      '2026-11-22.ndjson.bak',
      '2026-11-22.ndjson.gz.tmp',
      'x2026-11-22.ndjson',
      '2026-13-22.ndjson',
      '2026-11-32.ndjson',
    ).map(({ name }) => name)
    expect(names).toStrictEqual([
      '2026-11-21_001.ndjson',
      '2026-11-22.ndjson',
      '2026-11-22_002.ndjson',
      '2026-11-22_010.ndjson',
    ])
  })

  test('tells plain, leaving, archived and distrusted segments; the plain file counts before .gone, and that before the archive', () => {
    const segments = listing(
      '2026-11-19.ndjson.gone',
      '2026-11-19.ndjson.gz',
      '2026-11-20.ndjson.gz',
      '2026-11-21.ndjson',
      '2026-11-21.ndjson.gone',
      '2026-11-21.ndjson.gz',
      '2026-11-22.ndjson',
      '2026-11-22.ndjson.distrusted',
      '2026-11-23.ndjson.distrusted',
    )
    expect(segments.map(({ name, state, isDistrusted }) => [name, state, isDistrusted])).toStrictEqual([
      ['2026-11-19.ndjson', 'leaving', false],
      ['2026-11-20.ndjson', 'archived', false],
      ['2026-11-21.ndjson', 'plain', false],
      ['2026-11-22.ndjson', 'plain', true],
    ])
  })

  test('gives nothing for a directory that is missing or below a file', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'file'), '')
    expect(listSegments(join(directory, 'missing'))).toStrictEqual([])
    expect(listSegments(join(directory, 'file', 'x'))).toStrictEqual([])
  })

  test('a directory that can’t be listed is an error, never an empty journal', () => {
    const faulty = new FaultyFileSystem()
    faulty.add({ call: 'readdirSync', file: /./, effect: { error: 'EIO' } })
    expect(() => listSegments(temporaryDirectory(), faulty.fs)).toThrow(
      expect.objectContaining({ code: 'SEGMENT_UNREADABLE' }),
    )
  })
})

describe('where a writer appends', () => {
  test.each<[string, string[], string]>([
    ['an empty journal', [], '2026-11-22.ndjson'],
    ['yesterday’s', ['2026-11-21.ndjson'], '2026-11-22.ndjson'],
    ['yesterday’s third', ['2026-11-21_003.ndjson'], '2026-11-22.ndjson'],
    ['today’s', ['2026-11-22.ndjson'], '2026-11-22.ndjson'],
    ['today’s second', ['2026-11-22.ndjson', '2026-11-22_001.ndjson'], '2026-11-22_001.ndjson'],
    ['tomorrow’s, by a clock ahead', ['2026-11-22.ndjson', '2026-11-23.ndjson'], '2026-11-23.ndjson'],
    ['today’s distrusted', ['2026-11-22.ndjson', '2026-11-22.ndjson.distrusted'], '2026-11-22_001.ndjson'],
    [
      'only an earlier one distrusted',
      ['2026-11-22.ndjson', '2026-11-22.ndjson.distrusted', '2026-11-22_001.ndjson'],
      '2026-11-22_001.ndjson',
    ],
    ['tomorrow’s distrusted', ['2026-11-23.ndjson', '2026-11-23.ndjson.distrusted'], '2026-11-23_001.ndjson'],
    ['yesterday’s distrusted', ['2026-11-21.ndjson', '2026-11-21.ndjson.distrusted'], '2026-11-22.ndjson'],
    ['today’s archived', ['2026-11-22.ndjson.gz'], '2026-11-22_001.ndjson'],
    [
      'today’s archived, plain still there',
      ['2026-11-22.ndjson.gz', '2026-11-22.ndjson'],
      '2026-11-22.ndjson',
    ],
    ['tomorrow’s archived', ['2026-11-23_004.ndjson.gz'], '2026-11-23_005.ndjson'],
  ])('%s', (_, files, expected) => {
    expect(segmentToWrite(listing(...files), '2026-11-22').name).toBe(expected)
  })

  test('a day has 999 numbers', () => {
    expect(nextSegmentOfDay(segmentOf('2026-11-22', 998)).name).toBe('2026-11-22_999.ndjson')
    expect(() => nextSegmentOfDay(segmentOf('2026-11-22', 999))).toThrow(JournalError)
    expect(() => nextSegmentOfDay(segmentOf('2026-11-22', 999))).toThrow(
      expect.objectContaining({ code: 'SEGMENTS_EXHAUSTED' }),
    )
  })

  test('a distrusted segment’s marker has its name and an ending', () => {
    expect(distrustMarker(segmentOf('2026-11-22', 1))).toBe('2026-11-22_001.ndjson.distrusted')
  })

  test('lists a directory that has a segment’s name: it must be found, not passed over', () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, '2026-11-22.ndjson'))
    expect(listSegments(directory)).toHaveLength(1)
  })
})
