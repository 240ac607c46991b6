import SQLite from 'better-sqlite3'
import { expect } from 'vitest'
import { verify } from '../../../src/maintenance/verify/verify.js'
import { projectOnce } from '../../../src/projection/index.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

function execute(workspace: Workspace, sql: string): void {
  const database = new SQLite(workspace.database)
  database.exec(sql)
  database.close()
}

const ALTERATIONS: Record<string, string> = {
  'latencies of a day that has no requests':
    "INSERT INTO rollup_latencies VALUES ('day', '2026-11-30', 1, x'000100000005')",
  'latencies of a dimension that has no requests then':
    "INSERT INTO rollup_latencies SELECT grain, period, 99, buckets FROM rollup_latencies WHERE grain = 'day'",
  'latencies that are cut': "UPDATE rollup_latencies SET buckets = x'00' WHERE grain = 'day'",
  'latencies of a bucket that there is none of':
    "UPDATE rollup_latencies SET buckets = x'ffff00000001' WHERE grain = 'day'",
  'latencies that are a text': "UPDATE rollup_latencies SET buckets = 'abcdef' WHERE grain = 'day'",
  'a sum that is a text': "UPDATE rollups SET requests = 'many' WHERE grain = 'day'",
  'a total that is another one':
    "UPDATE rollup_totals SET failures = 1 WHERE grain = 'day' AND grouped_by = 'model'",
  'a total of an hour that is gone':
    "DELETE FROM rollup_totals WHERE grain = 'hour'; DELETE FROM rollup_total_latencies WHERE grain = 'hour'",
  'a total of a group that there is none of': `INSERT INTO rollup_totals (grain, grouped_by, period, group_name, requests, failures, streams, failed_streams, unpriced,
       input_tokens, output_tokens, cost_sats, cost_nanosats, latency_ms)
     VALUES ('day', 'policy', '2026-11-30', '=x', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)`,
  'latencies of a total that are cut':
    "UPDATE rollup_total_latencies SET buckets = x'' WHERE grain = 'day' AND grouped_by = 'provider'",
  'a dimension that no request has': "INSERT INTO rollup_dimensions (model, labels) VALUES ('ghost', '{}')",
}

test.for(Object.entries(ALTERATIONS))('%s are one problem', async ([, sql], { workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  workspace.expectDamage()
  execute(workspace, sql)
  const { ok, problems } = await verify(workspace)
  expect({ ok, kinds: problems.map(({ kind }) => kind) }).toEqual({ ok: false, kinds: ['rollup'] })
})

test.for(['', '2026', '2026-11-2', '2026-11-22', '2026-11-22T10', 'yesterday'])(
  'a row from before the journal whose timestamp is %j is no problem for those of whole days',
  async (timestamp, { workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    await projectOnce(workspace)
    execute(
      workspace,
      `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success) VALUES ('b', '${timestamp}', 'm', 5, 1)`,
    )
    writeSegment(workspace.journal, lines(requestLine('c')))
    await projectOnce(workspace)
    expect(await verify(workspace)).toMatchObject({ ok: true, problems: [], rows: 3 })
  },
)
