import { describe, expect, test } from 'vitest'
import { isWhole, scenarioReport } from './harness/report.mjs'
import { distribution, median, quantile, summarizeRounds } from './harness/statistics.mjs'
import { markdownTable, terminalTable } from './harness/table.mjs'
import { checkTarget, wrongNames } from './harness/targets.mjs'

describe('statistics', () => {
  test('quantiles are values that were measured, by nearest rank', () => {
    const values = Array.from({ length: 1000 }, (_, index) => index + 1)
    expect([0, 0.5, 0.99, 0.999, 1].map((share) => quantile(values, share))).toEqual([1, 500, 990, 999, 1000])
    expect(() => quantile([], 0.5)).toThrow('no values')
  })

  test('the median of an even number of rounds is the mean of the two in the middle', () => {
    expect(median([30, 1, 20, 10])).toBe(15)
    expect(median([9, 1, 5])).toBe(5)
  })

  test('a distribution is by value, not by text', () => {
    expect(distribution(Float64Array.of(10, 9, 100, 1))).toEqual({
      mean: 30,
      p50: 9,
      p99: 100,
      p99_9: 100,
      max: 100,
    })
  })

  test('a statistic that one round lacks is summarized over the others', () => {
    expect(summarizeRounds([{ a: 1 }, { a: 3, b: 7 }])).toEqual({
      a: { median: 2, min: 1, max: 3 },
      b: { median: 7, min: 7, max: 7 },
    })
  })
})

const summary = (value: number) => ({ median: value, min: value, max: value })

describe('targets', () => {
  const summaries = { ours: { mean: summary(3) }, floor: { mean: summary(2) }, sync: { p50: summary(1) } }
  const mean = { contender: 'ours', statistic: 'mean' } as const

  test.each([
    [{ ...mean, relation: '≤', limit: 1.5, against: 'floor' }, 1.5, true],
    [{ ...mean, relation: '≤', limit: 1.49, against: 'floor' }, 1.5, false],
    [{ ...mean, relation: '≥', limit: 1.5, against: 'floor' }, 1.5, true],
    [{ ...mean, relation: '≥', limit: 1.51, against: 'floor' }, 1.5, false],
    [{ ...mean, relation: '≤', limit: 3, against: 'sync', againstStatistic: 'p50' }, 3, true],
    [{ ...mean, relation: '≤', limit: 2.9 }, 3, false],
    [{ ...mean, relation: '≤', limit: 2, plus: { contender: 'sync', statistic: 'p50' } }, 3, true],
    [{ ...mean, relation: '≤', limit: 1.9, plus: { contender: 'sync', statistic: 'p50' } }, 3, false],
    [{ ...mean, relation: '≤', limit: 1, against: 'a peer that was skipped' }, null, null],
  ] as const)('%o', (target, value, isMet) => {
    expect(checkTarget(target, summaries)).toMatchObject({ value, isMet })
  })

  test('one that names what nobody measures is found', () => {
    const contenders = [
      { name: 'ours', statistics: ['mean'] },
      { name: 'floor', statistics: ['p50'] },
    ]
    const target = { ...mean, relation: '≤', limit: 1 } as const
    expect(
      wrongNames([target, { ...target, against: 'floor', againstStatistic: 'p50' }], contenders),
    ).toEqual([])
    expect(wrongNames([{ ...target, against: 'floor' }], contenders)).toEqual([
      expect.stringContaining("floor's"),
    ])
    expect(wrongNames([{ ...target, against: 'flour' }], contenders)).toEqual([
      expect.stringContaining('"flour"'),
    ])
  })
})

describe('tables', () => {
  const contender = { configuration: 'as it comes', rounds: [] }
  const report = scenarioReport(
    { name: 'append', measures: 'what it costs', statistics: { mean: { label: 'mean', unit: 'µs' } } },
    [
      { ...contender, name: 'floor, 10 M', role: 'floor', rounds: [{ mean: 2 }, { mean: 4 }, { mean: 2 }] },
      {
        ...contender,
        name: `ours, which has a name that is much longer than any column of a terminal can be, 10 M`,
        role: 'ours',
        floor: 'floor, 10 M',
        rounds: [{ mean: 3 }, { mean: 2.5 }, { mean: 12_345 }],
      },
      { ...contender, name: 'a|b', role: 'peer', skipped: 'not installed', rounds: [] },
    ],
    [
      {
        contender: 'ours, which has a name that is much longer than any column of a terminal can be, 10 M',
        statistic: 'mean',
        relation: '≤',
        limit: 1.35,
        against: 'floor, 10 M',
      },
    ],
  )

  test('the terminal gets at most 120 columns, and what was missed is said with the ratio', () => {
    const text = terminalTable([report])
    expect(Math.max(...text.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(120)
    expect(text).toMatch(/ours, which.*… +mean +3 µs +2\.5–12,350 +1\.5 +≤ 1\.35 × floor +MISSED 1\.5\n/)
    expect(text).toMatch(/a\|b +skipped/)
  })

  test('Markdown has five cells a row, and what was missed stands out', () => {
    const rows = markdownTable([{ ...report, error: 'it failed\nat once' }])
      .trimEnd()
      .split('\n')
    expect(rows.map((row) => row.split(/(?<!\\)\|/).length)).toEqual(rows.map(() => 7))
    expect(rows.join('\n')).toContain('**mean ≤ 1.35 × floor: missed (1.5)**')
    expect(rows.join('\n')).toContain('skipped: not installed')
    expect(rows.join('\n')).toContain('| append | failed | it failed |')
  })

  test('a contender that failed is said to have, and makes the run one that failed', () => {
    const failed = scenarioReport(
      report,
      [{ ...contender, name: 'winston', role: 'peer', failure: 'write after end' }],
      [],
    )
    expect(terminalTable([failed])).toMatch(/winston +failed/)
    expect(markdownTable([failed])).toContain('failed: write after end')
    expect([isWhole(report), isWhole(failed), isWhole({ ...report, error: 'no disk' })]).toEqual([
      true,
      false,
      false,
    ])
  })
})
