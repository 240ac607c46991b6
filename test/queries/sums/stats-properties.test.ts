import fc from 'fast-check'
import { expect } from 'vitest'
import { PERCENTILE_ERROR } from '../../../src/folds/sums/latencies.js'
import { type StatsSection, stats } from '../../../src/queries/index.js'
import type { GroupSection } from '../../../src/queries/sums/stats-groups.js'
import { runs } from '../../support/runs.js'
import { filter, rows } from '../arbitrary-rows.js'
import { groupOf, matches, percentileOf, type ReferenceRow, sectionOf } from '../reference.js'
import { fill, test } from '../support.js'

const groupBy = fc.constantFrom(
  undefined,
  'model' as const,
  'tier' as const,
  'provider' as const,
  'policy' as const,
  'service_tier' as const,
  'error_status' as const,
  'hour' as const,
  'day' as const,
  'label:team' as const,
)

const SECTIONS: Record<string, GroupSection> = {
  model: 'models',
  tier: 'tiers',
  provider: 'providers',
  policy: 'policies',
  service_tier: 'service_tiers',
  error_status: 'error_statuses',
  hour: 'hours',
  day: 'days',
  'label:team': 'labels',
}

/** The same to the digit; percentiles within their bound. */
function expectSection(found: StatsSection | undefined, expected: ReferenceRow[]): void {
  const { p50_latency_ms, p95_latency_ms, p99_latency_ms, ...performance } = found?.performance ?? {}
  const section = { counts: found?.counts, costs: found?.costs, performance }
  expect(section).toEqual(sectionOf(expected))
  for (const [share, ms] of [
    [0.5, p50_latency_ms],
    [0.95, p95_latency_ms],
    [0.99, p99_latency_ms],
  ] as const) {
    const exact = percentileOf(expected, share)
    if (exact === null) expect(ms).toBeNull()
    else expect(Math.abs((ms ?? Number.NaN) - exact)).toBeLessThanOrEqual(exact * PERCENTILE_ERROR)
  }
}

function groupRows(rows: ReferenceRow[], keyOf: (row: ReferenceRow) => string): Map<string, ReferenceRow[]> {
  const groups = new Map<string, ReferenceRow[]>()
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row])
  return groups
}

/** Groups that are there without requests. */
function quietGroups(group: string | undefined, all: readonly ReferenceRow[]): string[] {
  if (group === 'tier') return ['local', 'standard', 'frontier']
  return group === 'model' ? all.map((row) => groupOf(row, 'model', all)) : []
}

test('stats are what the counted rows say, from roll-ups and from rows alike', ({ database }) => {
  fc.assert(
    fc.property(
      rows,
      fc.double({ min: 0, max: 1, noNaN: true }),
      filter,
      groupBy,
      fc.boolean(),
      (drawn, share, asked, group, onlyMatching) => {
        const all = drawn.slice(0, Math.round(share * drawn.length))
        fill(database, drawn, all.length)
        // A model that no row has is an error, and tested elsewhere.
        fc.pre(asked.model === undefined || all.some((row) => matches(row, { model: asked.model })))
        fc.pre(asked.provider === undefined || all.some((row) => matches(row, { provider: asked.provider })))
        const answer = stats(database, {
          ...{ ...asked, groupBy: group, onlyMatching },
          percentiles: true,
          unknown: true,
        })
        const matching = all.filter((row) => matches(row, asked))
        expectSection(answer, matching)
        expect(answer.empty).toBe(matching.length === 0 ? true : undefined)
        if (group === undefined) return
        const listsAll = group === 'model' && !onlyMatching
        const grouped = listsAll
          ? all.filter((row) => matches(row, { ...asked, model: undefined }))
          : matching
        const byGroup = groupRows(grouped, (row) => groupOf(row, group, all))
        const groups = answer[SECTIONS[group] ?? 'models'] ?? {}
        const names = new Set([...byGroup.keys(), ...(onlyMatching ? [] : quietGroups(group, all))])
        expect(Object.keys(groups).sort()).toEqual([...names].sort())
        for (const [name, section] of Object.entries(groups)) expectSection(section, byGroup.get(name) ?? [])
      },
    ),
    runs(150),
  )
})
