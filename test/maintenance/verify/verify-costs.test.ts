import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import { verify } from '../../../src/maintenance/index.js'
import { projectOnce, replay } from '../../../src/projection/index.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const USAGE = { input_tokens: 1000, output_tokens: 100, cache_read_input_tokens: 400 }
const PRICE = checkedLine({
  type: 'price_set',
  provider: null,
  model: 'gpt-4o',
  valid_from: '2026-11-01T00:00:00.000Z',
  currency: 'usd',
  per_million: { input: '2', output: '10' },
  per_request: null,
  service_tier: null,
  min_input_tokens: null,
  source: null,
})
const RATE = checkedLine({
  type: 'exchange_rate_observed',
  observed_at: '2026-11-22T09:00:00.000Z',
  usd_per_btc: '50000',
  source: null,
})

/** Requests, and prices that come after them. */
async function fill(workspace: Workspace): Promise<void> {
  const begun = requestLine('b', { streaming: true, attempt: 1 })
  const ended = completionLine('b', { ...USAGE, attempt: 1, success: true, stream_duration_ms: 9 })
  writeSegment(
    workspace.journal,
    lines(requestLine('a', USAGE), begun, ended, requestLine('c', { cost_sats: 2 })),
  )
  await projectOnce(workspace)
  writeSegment(workspace.journal, lines(PRICE, RATE))
  await projectOnce(workspace)
}

function alter(workspace: Workspace, sql: string): void {
  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  database.exec(sql)
  database.close()
}

test('nothing is wrong after prices that came late', async ({ workspace }) => {
  await fill(workspace)
  expect(await verify(workspace)).toMatchObject({ ok: true, to_reprice: 0, problems: [] })
})

describe('what isn’t as the events say is found:', () => {
  test.for<[string, string, object]>([
    [
      'a cost in dollars',
      "UPDATE requests SET cost_usd = 9 WHERE correlation_id = 'a'",
      { kind: 'altered', columns: [{ column: 'cost_usd', journal: 0.003, database: 9 }] },
    ],
    [
      'a part of the tokens',
      "UPDATE requests SET cache_read_input_tokens = 1 WHERE correlation_id = 'b'",
      { kind: 'altered', columns: [{ column: 'cache_read_input_tokens', journal: 400, database: 1 }] },
    ],
    [
      'a count of retries',
      'UPDATE rollups SET retries = 0',
      { kind: 'rollup', columns: [{ column: 'retries' }] },
    ],
    [
      'a counter of unpriced requests',
      'UPDATE request_counters SET unpriced_usd = unpriced_usd + 1',
      { kind: 'counter', columns: [{ column: 'unpriced_usd' }] },
    ],
    [
      'a stored price',
      "UPDATE prices SET output = '11'",
      { kind: 'altered', columns: [{ column: 'output', journal: '10', database: '11' }] },
    ],
    ['an exchange rate that is gone', 'DELETE FROM exchange_rates', { kind: 'missing' }],
    [
      'a price that no line has',
      "INSERT INTO prices SELECT segment_id, 7, provider, 'other', valid_from, currency, input, cache_read_input, cache_creation_input, cache_creation_1h_input, audio_input, image_input, output, reasoning_output, audio_output, per_request, service_tier, min_input_tokens, source FROM prices",
      { kind: 'surplus', byte_offset: 7 },
    ],
  ])('%s', async ([, sql, problem], { workspace }) => {
    await fill(workspace)
    alter(workspace, sql)
    const report = await verify(workspace)
    expect(report.ok).toBe(false)
    expect(report.problems).toContainEqual(
      expect.objectContaining({
        ...problem,
        ...('columns' in problem
          ? { columns: (problem.columns as object[]).map((column) => expect.objectContaining(column)) }
          : {}),
      }),
    )
  })
})

describe('while rows wait to be repriced', () => {
  const pending = `INSERT INTO repricing VALUES (1, '', '9999', '', 0, 99, TRUE);
    UPDATE requests SET cost_usd = NULL, cost_source = NULL, cost_currency = NULL;
    UPDATE rollups SET cost_usd = 0, cost_nanousd = 0, unpriced_usd = requests, retries = 0;
    UPDATE request_counters SET unpriced_usd = requests, corrected_unpriced_usd = 0`

  test('costs and their sums aren’t compared, and the report says how many rows wait', async ({
    workspace,
  }) => {
    await fill(workspace)
    alter(workspace, pending)
    expect(await verify(workspace)).toMatchObject({ ok: true, to_reprice: 3, problems: [] })
    alter(workspace, "UPDATE requests SET input_tokens = 1 WHERE correlation_id = 'a'")
    expect(await verify(workspace)).toMatchObject({
      ok: false,
      problems: [{ kind: 'altered', columns: [{ column: 'input_tokens', journal: 1000, database: 1 }] }],
    })
  })

  test('the difference to a rebuilt database leaves them out, too', async ({ workspace }) => {
    await fill(workspace)
    alter(workspace, pending)
    const into = (name: string) => ({ ...workspace, into: `${workspace.database}.${name}`, diff: true })
    expect((await replay(into('pending'))).differences).toEqual([])
    alter(workspace, 'DELETE FROM repricing')
    const { differences = [] } = await replay(into('done'))
    expect(differences.map(({ table }) => table)).toContain('requests')
  })
})
