import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test as plainTest } from 'vitest'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { prune } from '../../../src/maintenance/index.js'
import { replay } from '../../../src/projection/index.js'
import { projectOnceWith } from '../../../src/projection/projector.js'
import { putEmptyDatabase } from '../../support/empty-database.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { runs } from '../../support/runs.js'
import { test } from '../../support/workspace.js'
import { type Page, seriesKey } from './exposition-parser.js'
import { pageOf } from './metrics-page.js'

const CLOCK = { now: () => Date.parse('2026-11-25T00:00:00.000Z') }
const CORRECTED = ['request_failures', 'unpriced_requests', 'input_tokens', 'output_tokens', 'cost_sats']

/** Samples that exist before and after, and those that fell or are gone. */
function fallen(before: Page, after: Page): string[] {
  const counters = [...before.samples].filter(([key]) =>
    /^request_journal_\w+_(total|bucket|sum|count)\b/.test(key),
  )
  return counters.filter(([key, value]) => !((after.samples.get(key) ?? -1) >= value)).map(([key]) => key)
}

const outcome = { input_tokens: 10, output_tokens: 100, cost_sats: 5, success: true }

test('no counter falls, whatever happens to the rows', async ({ workspace }) => {
  const { journal } = workspace
  const project = () => projectOnceWith(workspace, CLOCK)
  const pages: Page[] = []
  const step = async (work: () => Promise<unknown>) => {
    await work()
    pages.push(await pageOf(workspace))
  }
  await step(async () => {
    writeSegment(
      journal,
      lines(requestLine('a', outcome), requestLine('b', { success: false })),
      '2026-11-20.ndjson',
    )
    await project()
  })
  // A stream ends cheaper than it began, and without its cost; one that had failed ends well.
  await step(async () => {
    const ends = [
      completionLine('a', { ...outcome, cost_sats: 1.000000001, output_tokens: 1 }),
      completionLine('b', outcome),
    ]
    writeSegment(journal, lines(...ends), '2026-11-21.ndjson')
    await project()
  })
  await step(async () => {
    writeSegment(journal, lines(completionLine('a'), requestLine('c', outcome)), '2026-11-22.ndjson')
    await project()
  })
  await step(project)
  await step(() => replay(workspace))
  await step(async () => {
    writeSegment(journal, lines(requestLine('d', outcome)), '2026-11-23.ndjson')
    await replay(workspace)
  })
  await step(() => archiveWith(workspace, { noticeMs: 1, onStep() {} }))
  await step(async () => {
    expect(await prune({ ...workspace, before: '2026-11-22' })).toMatchObject({ rows: 2 })
  })
  await step(() => replay(workspace))
  workspace.expectDamage()
  for (const [index, page] of pages.entries()) {
    const before = pages[index - 1]
    if (before !== undefined) expect(fallen(before, page), `step ${index}`).toEqual([])
  }
  const { samples } = pages.at(-1) ?? { samples: new Map() }
  const value = (name: string) =>
    samples.get(
      seriesKey(`request_journal_${name}`, { model: 'gpt-4o', provider: 'unknown', policy: 'unknown' }),
    )
  // Four requests were logged, however often they were projected, and two of them are pruned.
  expect(value('requests_total')).toBe(4)
  expect(samples.get('request_journal_projected_events')).toBe(3)
  // a: 5, then 1.000000001, then unknown; b: unknown, then 5; c and d: 5.
  expect(value('cost_sats_total')).toBe(20)
  expect(value('corrected_cost_sats_total')).toBe(5)
})

const name = fc.constantFrom('a', 'b', 'c')
const tokens = fc.option(fc.nat(50), { nil: null })
const fields = fc.record({
  model: fc.constantFrom('m', 'n', 'o', 'p'),
  provider: fc.constantFrom('east', null),
  input_tokens: tokens,
  output_tokens: tokens,
  cost_sats: fc.option(fc.double({ noNaN: true, min: -10, max: 1e6 }), { nil: null }),
  latency_ms: fc.nat(400_000),
  success: fc.boolean(),
})
const batch = fc.array(
  fc.oneof(
    fc.tuple(name, fields).map(([id, value]) => requestLine(id, value)),
    fc
      .tuple(name, fields)
      .map(([id, { model, provider, latency_ms, ...value }]) => completionLine(id, value)),
  ),
  { minLength: 1, maxLength: 8 },
)

plainTest(
  'any events: no counter falls, and without corrections they are what the rows add up to',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(batch, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 5 }),
        async (batches, limit) => {
          const directory = mkdtempSync(join(tmpdir(), 'request-journal-metrics-'))
          const workspace = { journal: join(directory, 'journal'), database: join(directory, 'requests.db') }
          putEmptyDatabase(workspace.database)
          try {
            let before: Page | null = null
            for (const events of batches) {
              writeSegment(workspace.journal, lines(...events))
              await projectOnceWith(workspace, CLOCK)
              const page = await pageOf(workspace, limit)
              if (before !== null) expect(fallen(before, page)).toEqual([])
              before = page
            }
            expect(sumsOf(before)).toEqual(sumsOfRows(workspace.database))
          } finally {
            rmSync(directory, { recursive: true, force: true })
          }
        },
      ),
      runs(12),
    )
  },
)

/** Over all series, what is left of a counter once corrections are taken from it. */
function sumsOf(page: Page | null): Record<string, number> {
  const total = (counter: string) =>
    [...(page?.samples ?? [])]
      .filter(([key]) => key.startsWith(`request_journal_${counter}_total{`))
      .reduce((sum, [, value]) => sum + value, 0)
  const sums = CORRECTED.map((counter) => [counter, rounded(total(counter) - total(`corrected_${counter}`))])
  return Object.fromEntries([['requests', total('requests')], ...sums])
}

function sumsOfRows(path: string): Record<string, number> {
  const database = new SQLite(path, { readonly: true })
  const row = database
    .prepare(
      `SELECT count(*) AS requests, total(success = 0) AS request_failures, total(cost_sats IS NULL) AS unpriced_requests,
         total(input_tokens) AS input_tokens, total(output_tokens) AS output_tokens, total(cost_sats) AS cost_sats
       FROM requests`,
    )
    .get() as Record<string, number>
  database.close()
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, rounded(value)]))
}

/**
 * Costs are counted to a billionth of a satoshi each, and added up here as floating-point numbers.
 */
function rounded(value: number): number {
  return Math.round(value * 1e5) / 1e5 + 0
}
