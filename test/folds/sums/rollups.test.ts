import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import { Sums } from '../../../src/folds/sums/sums.js'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { prune } from '../../../src/maintenance/prune.js'
import { verify } from '../../../src/maintenance/verify/verify.js'
import { openDatabase, projectOnce, replay } from '../../../src/projection/index.js'
import { projectOnceWith } from '../../../src/projection/projector.js'
import { clearRollups } from '../../../src/store/sqlite/rollups/rollup-statements.js'
import { SqliteStatements, writeSums } from '../../../src/store/sqlite/sqlite-transaction.js'
import { countRows } from '../../support/count-rows.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const REQUEST = {
  timestamp: '2026-11-22T10:00:00.000Z',
  model: 'gpt-4o',
  provider: null,
  policy: null,
  streaming: false,
  success: true,
  input_tokens: 1,
  output_tokens: 1,
  cost_sats: 1,
  cost_usd: null,
  latency_ms: 1,
}
const NEXT_DAY = '2026-11-23.ndjson'
const MAX = Number.MAX_SAFE_INTEGER

/** Of one hour; the fixture compares every other column. */
const hours = (workspace: Workspace) =>
  workspace.query(
    "SELECT period, requests, failures, unpriced FROM rollups WHERE grain = 'hour' ORDER BY 1, dimension_id",
  )
const counters = (workspace: Workspace) =>
  workspace.query(
    `SELECT model, requests, failures, unpriced, output_tokens AS output, cost_sats + cost_nanosats / 1e9 AS cost,
       corrected_failures, corrected_unpriced, corrected_output_tokens AS corrected_output,
       corrected_cost_sats + corrected_cost_nanosats / 1e9 AS corrected_cost
     FROM request_counters ORDER BY id`,
  )
const dimensions = (workspace: Workspace) =>
  workspace.query('SELECT model, labels FROM rollup_dimensions ORDER BY id')

describe('the labels that roll-ups are kept by', () => {
  const tiers = lines(
    requestLine('a', { labels: { tier: 'local', team: 'x' } }),
    requestLine('b', { labels: { tier: 'local', team: 'y' } }),
    requestLine('c', { labels: { team: 'x' } }),
  )

  test('are `tier` unless told', async ({ workspace }) => {
    writeSegment(workspace.journal, tiers)
    await projectOnce(workspace)
    expect(dimensions(workspace).map((row) => row['labels'])).toEqual(['{"tier":"local"}', '{}'])
  })

  test('are chosen while the database is empty, and stay', async ({ workspace }) => {
    writeSegment(workspace.journal, tiers)
    await projectOnce({ ...workspace, rollupLabels: ['team', 'tier'] })
    const chosen = ['{"team":"x","tier":"local"}', '{"team":"y","tier":"local"}', '{"team":"x"}']
    expect(dimensions(workspace).map((row) => row['labels'])).toEqual(chosen)
    writeSegment(workspace.journal, lines(requestLine('d', { labels: { tier: 'local', team: 'x' } })))
    await projectOnce(workspace)
    await projectOnce({ ...workspace, rollupLabels: ['tier', 'team'] })
    await replay(workspace)
    expect(dimensions(workspace).map((row) => row['labels'])).toEqual(chosen)
  })

  test('are refused when the requests there are counted by others, until a replay', async ({ workspace }) => {
    writeSegment(workspace.journal, tiers)
    await projectOnce(workspace)
    await expect(projectOnce({ ...workspace, rollupLabels: ['team'] })).rejects.toMatchObject({
      code: 'OTHER_ROLLUP_LABELS',
      message: expect.stringContaining('kept by "tier", but you asked for "team"'),
    })
    await replay({ ...workspace, rollupLabels: ['team'] })
    expect(dimensions(workspace).map((row) => row['labels'])).toEqual(['{"team":"x"}', '{"team":"y"}'])
    await projectOnce({ ...workspace, rollupLabels: ['team'] })
  })

  test('may be none', async ({ workspace }) => {
    writeSegment(workspace.journal, tiers)
    await projectOnce({ ...workspace, rollupLabels: [] })
    expect(dimensions(workspace).map((row) => row['labels'])).toEqual(['{}'])
  })

  test('must have names', async ({ workspace }) => {
    writeSegment(workspace.journal, tiers)
    await expect(replay({ ...workspace, rollupLabels: [''] })).rejects.toThrow(/none empty/)
    await expect(replay({ ...workspace, rollupLabels: [...'abcdefghi'] })).rejects.toThrow(/at most 8/)
  })

  test('with hostile names are text', async ({ workspace }) => {
    writeSegment(
      workspace.journal,
      lines('{"model":"__proto__","latency_ms":1,"success":true,"labels":{"__proto__":"x"}}'),
    )
    await projectOnce({ ...workspace, rollupLabels: ['__proto__', 'constructor'] })
    expect(dimensions(workspace)).toEqual([{ model: '__proto__', labels: '{"__proto__":"x"}' }])
  })
})

test('absurd values count as their limits, so that no sum is too great, and verify agrees', async ({
  workspace,
}) => {
  const absurd = { input_tokens: MAX, output_tokens: MAX, cost_sats: 1e300, latency_ms: MAX }
  const ids = Array.from({ length: 1025 }, (_, index) => `r${index}`)
  writeSegment(workspace.journal, lines(...ids.map((id) => requestLine(id, absurd))))
  await projectOnce(workspace)
  await replay(workspace)
  writeSegment(workspace.journal, lines(completionLine('r0', { ...absurd, latency_ms: undefined })))
  await projectOnce(workspace)
  const sums = workspace.query("SELECT input_tokens, cost_sats, latency_ms FROM rollups WHERE grain = 'day'")
  expect(sums).toEqual([{ input_tokens: 1025e12, cost_sats: 1025e12, latency_ms: 1025 * (2 ** 32 - 1) }])
  expect(await verify(workspace)).toMatchObject({ ok: true, problems: [] })
})

describe('counters', () => {
  test('never fall: what a completion takes back is counted as corrected', async ({ workspace }) => {
    const begun = { streaming: true, output_tokens: 10, cost_sats: 5.5 }
    writeSegment(
      workspace.journal,
      lines(requestLine('a', begun), requestLine('b', { ...begun, cost_sats: null })),
    )
    await projectOnce(workspace)
    const ended = { output_tokens: 4, cost_sats: 2.25, success: false }
    writeSegment(workspace.journal, lines(completionLine('a', ended), completionLine('b', ended)))
    await projectOnce(workspace)
    expect(counters(workspace)).toEqual([
      {
        model: 'gpt-4o',
        requests: 2,
        failures: 2,
        unpriced: 1,
        output: 20,
        cost: 7.75,
        corrected_failures: 0,
        corrected_unpriced: 1,
        corrected_output: 12,
        corrected_cost: 3.25,
      },
    ])
    expect(hours(workspace)).toEqual([{ period: '2026-11-22T10', requests: 2, failures: 2, unpriced: 0 }])
  })

  test('take a negative cost for one that is taken back', async ({ workspace }) => {
    writeSegment(
      workspace.journal,
      lines(requestLine('a', { cost_sats: 1 }), requestLine('b', { cost_sats: -0.25 })),
    )
    await projectOnce(workspace)
    expect(counters(workspace)).toMatchObject([{ cost: 1, corrected_cost: 0.25 }])
  })

  test('count a line once, however often it is replayed; and what a replay meets first', async ({
    workspace,
  }) => {
    writeSegment(
      workspace.journal,
      lines(requestLine('a', { cost_sats: 1 }), completionLine('late', { cost_sats: 2 })),
    )
    await projectOnce(workspace)
    const before = counters(workspace)
    await replay(workspace)
    expect(counters(workspace)).toEqual(before)
    // The completion was held, so that its effect is as new as its request.
    writeSegment(workspace.journal, lines(requestLine('late', { cost_sats: 1 })))
    await replay(workspace)
    await replay(workspace)
    expect(counters(workspace)).toMatchObject([{ requests: 2, cost: 3, corrected_cost: 0 }])
  })

  test('keep what was lost or pruned', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a', { model: 'old' }), requestLine('b')))
    writeSegment(workspace.journal, lines(requestLine('c')), NEXT_DAY)
    const clock = { now: () => Date.parse('2026-12-01T00:00:00.000Z') }
    await projectOnceWith(workspace, clock)
    const before = counters(workspace)
    await archiveWith(workspace, { noticeMs: 1, onStep() {} })
    await prune({ ...workspace, before: NEXT_DAY.slice(0, 10) })
    expect(counters(workspace)).toEqual(before)
    expect(hours(workspace)).toEqual([{ period: '2026-11-22T10', requests: 1, failures: 0, unpriced: 1 }])
    expect(dimensions(workspace)).toEqual([{ model: 'gpt-4o', labels: '{}' }])
    await replay(workspace)
    expect(counters(workspace)).toEqual(before)
  })
})

describe('rows that never came from the journal', () => {
  const insert = `INSERT INTO requests (correlation_id, timestamp, model, provider, latency_ms, success, cost_sats, labels)
    VALUES ('x', '2026-11-20T09:30:00.000Z', 'other', 'p', 70, 0, 0.5, '{"tier":"local"}')`

  test('are counted if they were there before it, by every replay too; later ones never are', async ({
    workspace,
  }) => {
    const database = openDatabase(workspace.database)
    database.exec(`${insert}; ${insert.replace('\'{"tier":"local"}\'', "'no JSON'")}`)
    countRows(database)
    writeSegment(workspace.journal, lines(requestLine('a')))
    await projectOnce(workspace)
    expect(hours(workspace)).toMatchObject([{ requests: 1 }, { requests: 1 }, { period: '2026-11-22T10' }])
    database.exec(insert)
    database.close()
    await replay(workspace)
    expect(hours(workspace)).toMatchObject([{ requests: 1, failures: 1 }, { requests: 1 }, { requests: 1 }])
    expect(counters(workspace)).toMatchObject([
      { model: 'other', requests: 2 },
      { model: 'gpt-4o', requests: 1 },
    ])
  })

  test('never make a counter fall, whatever they have', async ({ workspace }) => {
    const database = openDatabase(workspace.database)
    database.exec(`INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success, output_tokens)
      VALUES ('x', '2026-11-20T09:30:00.000Z', 'gpt-4o', 70, 1, -5)`)
    countRows(database)
    database.close()
    writeSegment(workspace.journal, lines(requestLine('a', { output_tokens: 2 })))
    await projectOnce(workspace)
    expect(counters(workspace)).toMatchObject([{ output: 2, corrected_output: 5 }])
  })

  test('are corrected when a completion changes one, unless it came later', async ({ workspace }) => {
    const database = openDatabase(workspace.database)
    database.exec(insert)
    countRows(database)
    database.exec(insert.replace("'x'", "'later'"))
    database.close()
    const end = { cost_sats: 0.75, success: true }
    writeSegment(workspace.journal, lines(completionLine('x', end), completionLine('later', end)))
    await projectOnce(workspace)
    expect(workspace.query('SELECT cost_sats AS cost FROM requests')).toEqual([
      { cost: 0.75 },
      { cost: 0.75 },
    ])
    expect(hours(workspace)).toEqual([{ period: '2026-11-20T09', requests: 1, failures: 0, unpriced: 0 }])
    expect(counters(workspace)).toMatchObject([{ cost: 0.75, failures: 1, corrected_failures: 1 }])
  })
})

test('a batch that fails leaves the roll-ups as they were', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const database = new SQLite(workspace.database)
  database.exec("CREATE TRIGGER no BEFORE INSERT ON rejected_lines BEGIN SELECT raise(ABORT, 'no'); END")
  writeSegment(workspace.journal, lines(requestLine('b', { model: 'new' }), 'nonsense'), DAY)
  await expect(projectOnce(workspace)).rejects.toThrow('no')
  expect(dimensions(workspace)).toHaveLength(1)
  database.exec('DROP TRIGGER no')
  database.close()
  await projectOnce(workspace)
  expect(dimensions(workspace)).toHaveLength(2)
})

test('texts that JavaScript and SQLite order differently are periods too', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  // UTF-16 has the second before the first, UTF-8 after it.
  for (const [index, timestamp] of ['\uffee', '\u{1f600}', '\uffee'].entries()) {
    const database = new SQLite(workspace.database)
    database
      .prepare(
        "INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success) VALUES ('x', ?, 'm', 5, 1)",
      )
      .run(timestamp)
    countRows(database)
    database.close()
    writeSegment(workspace.journal, lines(requestLine(`b${index}`)))
    await projectOnce(workspace)
  }
  expect(hours(workspace)).toMatchObject([{ requests: 4 }, { requests: 2 }, { requests: 1 }])
})

test('what a transaction that failed had to write is not written by the next one', ({ workspace }) => {
  const database = openDatabase(workspace.database)
  const tables = new SqliteStatements(database)
  const write = (model: string) => {
    const sums = new Sums(['tier'])
    sums.addUnjournaled({ ...REQUEST, model })
    database.transaction(() => writeSums(tables, sums.take(), ['tier']))()
  }
  for (const table of ['rollups', 'rollup_latencies', 'rollup_totals', 'rollup_total_latencies']) {
    database.exec(`CREATE TRIGGER refuse BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'refused'); END`)
    expect(() => write(`lost with ${table}`)).toThrow('refused')
    database.exec('DROP TRIGGER refuse')
  }
  write('kept')
  const count = "SELECT sum(requests) FROM rollups WHERE grain = 'hour'"
  expect(database.prepare(count).pluck().get()).toBe(1)
  const totals = "SELECT group_name FROM rollup_totals WHERE grouped_by = 'model'"
  expect(database.prepare(totals).pluck().all()).toEqual(['=kept'])
  database.exec('DELETE FROM request_counters; DELETE FROM latency_counters')
  clearRollups(database)
  database.close()
})

test('bytes and broken texts of another program are names that can be counted, verified and replayed', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const database = new SQLite(workspace.database)
  database.exec(
    `INSERT INTO requests (correlation_id, timestamp, model, provider, policy, latency_ms, success, labels) VALUES
       ('x', '2026-11-24T10:00:00.000Z', 'm', x'41', x'42', 5, 1, '{"tier":"\\ud800"}'),
       ('y', '2026-11-24T10:00:00.000Z', 'm', x'41', 'B', 5, 1, '{"tier":"\\ud800"}')`,
  )
  countRows(database)
  database.close()
  writeSegment(workspace.journal, lines(requestLine('b')))
  await projectOnce(workspace)
  await replay(workspace)
  expect(workspace.query("SELECT sum(requests) AS n FROM rollup_totals WHERE group_name = '=A'")).toEqual([
    { n: 2 },
  ])
  expect((await verify(workspace)).problems.filter(({ kind }) => kind === 'rollup')).toEqual([])
  workspace.expectDamage()
})
