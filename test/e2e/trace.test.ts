import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import {
  listRequests,
  openDatabaseReadOnly,
  type StatsOptions,
  series,
  stats,
} from '../../src/queries/index.js'
import { runHere } from '../support/command.js'
import { end, hasTrace, run, startDaemon, traceText } from '../support/program.js'
import { test as base, type Workspace, withWorkspace } from '../support/workspace.js'

// The totals of the trace's own README, less the failed rows.
const ROWS = 28_185
const TOTALS = { n: ROWS, input: 39_618_893, output: 4_249_532, failures: 563 }

/** The same, as `stats` tells them of the trace's one day. */
const DAY = { since: '2023-11-16T00:00:00Z', until: '2023-11-16T23:59:59.999Z' }
const STATS = {
  counts: { total: ROWS, success: ROWS - TOTALS.failures, error: TOTALS.failures, streaming: 19_366 },
  costs: {
    total_cost_sats: 523_674.89,
    total_input_tokens: TOTALS.input,
    total_output_tokens: TOTALS.output,
  },
}

/** Events of the trace that are appended at once: more than the projector reads in one batch. */
const PART = 3000

const trace = traceText()
const events = trace.trimEnd().split('\n')

const places = ({ journal, database }: Workspace) => ['--journal', journal, '--db', database]
const count = (workspace: Workspace) => workspace.query('SELECT count(*) AS n FROM requests')[0]?.['n']

function append(workspace: Workspace, text: string) {
  return run(['append', '--journal', workspace.journal, '--json'], { input: text })
}

function fingerprint(workspace: Workspace): string {
  const database = new SQLite(workspace.database, { readonly: true })
  const all = (sql: string) => database.prepare(sql).raw().all()
  const rows = all('SELECT * FROM requests ORDER BY id')
  const ratios = all('SELECT * FROM token_ratios ORDER BY policy')
  database.close()
  return createHash('sha256')
    .update(JSON.stringify([rows, ratios]))
    .digest('hex')
}

function statsOf(workspace: Workspace, options: StatsOptions = {}) {
  const database = openDatabaseReadOnly(workspace.database)
  try {
    return stats(database, { ...DAY, percentiles: true, unpriced: true, ...options })
  } finally {
    database.close()
  }
}

/** Tests that share the whole trace, projected by daemons that were killed in the middle and one that wasn't. */
const test = base.extend<{ whole: Workspace }>({
  whole: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
    async ({}, use) =>
      await withWorkspace(async (workspace) => {
        expect(append(workspace, trace)).toMatchObject({ status: 0, json: { appended: ROWS, refused: 0 } })
        for (let kill = 1; kill <= 3; kill++) {
          const daemon = await startDaemon(workspace.journal, workspace.database)
          await sleep(kill * 40)
          await end(daemon, 'SIGKILL')
        }
        const projected = await runHere(['project', '--once', ...places(workspace), '--json'])
        expect(projected).toMatchObject({ status: 0, json: { rejected: 0 } })
        await use(workspace)
      }),
    { scope: 'file' },
  ],
})

describe.skipIf(!hasTrace)('the real trace', () => {
  test('has the sums of its README, in spite of three kills in mid-catch-up', async ({ whole }) => {
    const sums = `SELECT count(*) AS n, count(DISTINCT correlation_id) AS ids, sum(input_tokens) AS input,
      sum(output_tokens) AS output, sum(NOT success) AS failures, round(sum(cost_sats), 2) AS cost FROM requests`
    expect(whole.query(sums)).toEqual([{ ...TOTALS, ids: ROWS, cost: 523_674.89 }])
    expect(whole.query('SELECT policy, avg_ratio, sample_count FROM token_ratios ORDER BY policy')).toEqual(
      expectedRatios(),
    )
    expect(await runHere(['status', ...places(whole), '--json'])).toMatchObject({
      status: 0,
      json: { lag_bytes: 0, lag_seconds: 0, database: { requests: ROWS } },
    })
  })

  test('has the same sums from roll-ups and from rows', ({ whole }) => {
    const sums = statsOf(whole)
    expect(sums).toMatchObject({ ...STATS, counts: { ...STATS.counts, unpriced: 563 } })
    // No roll-ups are kept by this label: all of it comes from the rows.
    const { labels, unknown_group, ...fromRows } = statsOf(whole, { groupBy: 'label:none' })
    expect(fromRows).toEqual(sums)
    expect(unknown_group).toBe('unknown')
    expect(labels?.['unknown']).toMatchObject(STATS)
    const { models } = statsOf(whole, { groupBy: 'model' })
    expect(models).toMatchObject({
      'azure-code': { counts: { total: 8819, streaming: 0 } },
      'azure-conversation': { counts: { total: 19_366, streaming: 19_366 } },
    })
  })

  test('is the same after a replay, and so are its sums', async ({ whole }) => {
    const before = [fingerprint(whole), statsOf(whole)]
    const replayed = await runHere(['replay', ...places(whole), '--json'])
    expect(replayed).toMatchObject({ status: 0, json: { projected: ROWS } })
    expect([fingerprint(whole), statsOf(whole)]).toEqual(before)
  })

  test('in parts that are cut anywhere adds up to the whole', ({ whole }) => {
    const database = openDatabaseReadOnly(whole.database)
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

  test('in two parts is projected to the last line of each, though nothing follows it', async ({
    workspace,
  }) => {
    const daemon = await startDaemon(workspace.journal, workspace.database)
    for (const part of [1, 2]) {
      append(workspace, `${events.slice(PART * (part - 1), PART * part).join('\n')}\n`)
      while (count(workspace) !== PART * part) await sleep(20)
    }
    expect(await end(daemon)).toBe(0)
  })
})

/** Computed outside the program, from the trace itself. */
function expectedRatios() {
  const ratios = new Map<string, number[]>()
  for (const line of events) {
    const { policy, success, input_tokens: input, output_tokens: output } = JSON.parse(line)
    if (!success || !(input > 0)) continue
    ratios.set(policy, ratios.get(policy) ?? [])
    ratios.get(policy)?.push(output / input)
  }
  return [...ratios.entries()].sort().map(([policy, values]) => ({
    policy,
    avg_ratio: expect.closeTo(values.reduce((sum, value) => sum + value, 0) / values.length, 6),
    sample_count: values.length,
  }))
}
