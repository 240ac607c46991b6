import { describe, expect, test } from 'vitest'
import { formatBytes, formatMs, formatSeconds, formatShare } from '../../../src/cli/output/format.js'
import { formatProgress } from '../../../src/cli/output/progress.js'
import { type Column, formatTable } from '../../../src/cli/output/table.js'
import { cutToWidth, displayWidth, terminalJson, visible } from '../../../src/cli/output/terminal.js'

describe('text from strangers', () => {
  test('visible escapes what moves, colours, reorders or hides, and nothing else', () => {
    expect(visible('a\x1b[2J\r\n\t\x00\x7f\x9b\u202e\u200b\u2028\ud800')).toBe(
      'a\\x1b[2J\\r\\n\\t\\u0000\\u007f\\u009b\\u202e\\u200b\\u2028\\ud800',
    )
    expect(visible('größe 漢字 🙂 – é')).toBe('größe 漢字 🙂 – é')
  })

  test('terminalJson says the same as JSON', () => {
    const value = { text: 'a\u009b\u202e\u{e0041}"\n' }
    const json = terminalJson(value)
    expect(JSON.parse(json)).toEqual(value)
    expect(json).toMatch(/^[\x20-\x7e]+$/)
  })
})

describe('tables', () => {
  test('wide characters keep the columns aligned', () => {
    const table = formatTable(
      [
        { title: 'm', cell: ([text = '']) => text },
        { title: 'n', align: 'right', cell: ([, text = '']) => text },
      ],
      [
        ['漢字', '1'],
        ['e\u0301', '22'],
      ],
      80,
    )
    const widths = table.split('\n').map(displayWidth)
    expect(new Set(widths)).toEqual(new Set([8]))
  })

  test('columns that may shrink do, and what must stay is never cut; no cell starts a line of its own', () => {
    const columns: Column<string[]>[] = [
      { title: 'a', shrinksTo: 4, cell: ([text = '']) => text },
      { title: 'b', cell: ([, text = '']) => text },
    ]
    expect(formatTable(columns, [['long\nlong', 'short']], 12)).toBe('a      b\nlong…  short')
    for (const width of [0, 1, 3, 8, 11, 12, 40]) {
      const [title, row = ''] = formatTable(columns, [['漢字漢字漢字', 'short']], width).split('\n')
      expect(title).toMatch(/^a +b$/)
      expect(row).toMatch(/ short$/)
      expect(displayWidth(row)).toBeLessThanOrEqual(Math.max(width, 11))
    }
  })

  test('a table may have more rows than a call takes arguments', () => {
    const lines = formatTable([{ title: 'n', cell: String }], Array(200_000).fill(7), 80).split('\n')
    expect(lines).toHaveLength(200_001)
    expect(lines.at(-1)).toBe('7')
  })

  test('cutToWidth never splits a wide character', () => {
    expect(cutToWidth('漢字漢字', 4)).toBe('漢…')
    expect(cutToWidth('漢字', 4)).toBe('漢字')
  })
})

test('numbers for people', () => {
  expect([0, 1023, 1024, 5_000_000_000].map(formatBytes)).toEqual(['0 B', '1,023 B', '1.0 KiB', '4.7 GiB'])
  expect([0, 812.4, 12_345, null].map(formatMs)).toEqual(['0 ms', '812 ms', '12.3 s', '–'])
  expect([3, 600, 9000].map(formatSeconds)).toEqual(['3 s', '10 min', '2.5 h'])
  expect([formatShare(1, 20), formatShare(0, 0), formatShare(0, 9)]).toEqual(['5.0 %', '–', '0.0 %'])
  expect([formatShare(1, 9999), formatShare(1, 2000)]).toEqual(['<0.1 %', '0.1 %'])
})

test('progress fits any terminal that holds its figures', () => {
  const progress = { bytes: 50 * 2 ** 20, total_bytes: 100 * 2 ** 20, events: 100_000 }
  for (const width of [70, 80, 99, 200]) {
    const line = formatProgress(progress, 1000, width)
    expect(displayWidth(line)).toBeLessThanOrEqual(width)
    expect(line).toContain('100,000 events/s  1 s left')
  }
  expect(formatProgress({ bytes: 0, total_bytes: 0, events: 0 }, 0, 80)).toMatch(/^100 %.*building indexes$/)
})
