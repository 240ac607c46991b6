import { execFileSync } from 'node:child_process'
import { test as base, describe, expect } from 'vitest'
import { projectOnce, replay } from '../../src/projection/index.js'
import {
  listRequests,
  openDatabaseReadOnly,
  type StatsOptions,
  series,
  stats,
} from '../../src/queries/index.js'
import { hasTrace, run, TRACE } from '../support/program.js'
import { type Workspace, withWorkspace } from '../support/workspace.js'

const DAY = { since: '2023-11-16T00:00:00Z', until: '2023-11-16T23:59:59.999Z' }

/** The totals of the trace's own README, less the failed rows. */
const TOTALS = {
  counts: { total: 28_185, success: 27_622, error: 563, streaming: 19_366 },
  costs: { total_cost_sats: 523_674.89, total_input_tokens: 39_618_893, total_output_tokens: 4_249_532 },
}

/** Tests that share the trace, projected. */
const test = base.extend<{ trace: Workspace }>({
  trace: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
    async ({}, use) =>
      await withWorkspace(async (workspace) => {
        const events = execFileSync(process.execPath, [TRACE], { maxBuffer: 1 << 28 })
        expect(run(['append', '--journal', workspace.journal], { input: events }).status).toBe(0)
        await projectOnce(workspace)
        await use(workspace)
      }),
    { scope: 'file' },
  ],
})

describe.skipIf(!hasTrace)('the real trace', () => {
  test('has the sums of its README, from roll-ups and from rows, also after a replay', async ({ trace }) => {
    const ask = (options: StatsOptions) => {
      const database = openDatabaseReadOnly(trace.database)
      try {
        return stats(database, { ...DAY, percentiles: true, unpriced: true, ...options })
      } finally {
        database.close()
      }
    }
    const whole = ask({})
    expect(whole).toMatchObject({ ...TOTALS, counts: { ...TOTALS.counts, unpriced: 563 } })
    // No roll-ups are kept by this label: all of it comes from the rows.
    const { labels, unknown_group, ...fromRows } = ask({ groupBy: 'label:none' })
    expect(fromRows).toEqual(whole)
    expect(unknown_group).toBe('unknown')
    expect(labels?.['unknown']).toMatchObject(TOTALS)
    const { models } = ask({ groupBy: 'model' })
    expect(models).toMatchObject({
      'azure-code': { counts: { total: 8819, streaming: 0 } },
      'azure-conversation': { counts: { total: 19_366, streaming: 19_366 } },
    })
    await replay(trace)
    expect(ask({})).toEqual(whole)
  })

  test('in parts that are cut anywhere adds up to the whole', ({ trace }) => {
    const database = openDatabaseReadOnly(trace.database)
    const cuts = [
      '18:15:00.001',
      '18:29:59.999',
      '18:30:00.000',
      '18:47:13.500',
      '19:00:00.000',
      '19:10:59.123',
    ]
    let from = DAY.since
    const parts = [...cuts.map((cut) => `2023-11-16T${cut}Z`), DAY.until].map((until) => {
      const part = stats(database, { since: from, until, unpriced: true })
      from = new Date(Date.parse(until) + 1).toISOString()
      return part
    })
    const sum = (value: (part: (typeof parts)[number]) => number) =>
      parts.reduce((total, part) => total + value(part), 0)
    expect(sum(({ counts }) => counts.total)).toBe(28_185)
    expect(sum(({ counts }) => counts.error)).toBe(563)
    expect(sum(({ costs }) => costs.total_input_tokens)).toBe(39_618_893)
    expect(sum(({ costs }) => costs.total_output_tokens)).toBe(4_249_532)
    expect(sum(({ costs }) => costs.total_cost_sats)).toBeCloseTo(523_674.89, 6)

    const chart = series(database, { ...DAY, bucket: 'minute' })
    expect(chart.times).toHaveLength(1440)
    expect(chart.requests.reduce((a, b) => a + b, 0)).toBe(28_185)
    expect(listRequests(database, { ...DAY, success: false })).toMatchObject({ total: 563, total_pages: 29 })
    database.close()
  })
})
