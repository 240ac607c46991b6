import { appendFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { archiveWith } from '../../src/maintenance/archive.js'
import { prune } from '../../src/maintenance/prune.js'
import { verify } from '../../src/maintenance/verify/verify.js'
import { projectOnce, replay } from '../../src/projection/index.js'
import {
  listNames,
  listRequests,
  newRequests,
  openDatabaseReadOnly,
  series,
  stats,
} from '../../src/queries/index.js'
import { groupByName } from '../../src/queries/sums/grouping.js'
import { readFirst } from '../../src/queries/sums/top-groups.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { requestLog, test } from '../support/workspace.js'

const long = (name: string) => `${name}-${'é'.repeat(50_000)}`

test('names of 100 kB take 1 KiB, from a foreign line too, and are found by what was logged', async ({
  workspace,
}) => {
  const names = { model: long('model'), provider: long('east'), policy: long('cheap') }
  const request = requestLog({ ...names, labels: { tier: long('tier'), [long('name')]: long('value') } })
  const journal = openJournal({ directory: workspace.journal })
  const ours = journal.record({ ...request, correlation_id: long('id'), streaming: true })
  expect(Buffer.byteLength(ours)).toBeLessThanOrEqual(1024)
  await journal.close()
  const [segment = ''] = workspace.segments()
  const foreign = [
    { ...request, correlation_id: long('other') },
    // Joined with our own line by the name that both were given.
    { type: 'stream_completed', correlation_id: long('id'), output_tokens: 7, success: true },
    { ...request, correlation_id: long('third'), model: `${names.model}!` },
  ]
  const lines = foreign.map((event) => `${JSON.stringify(event)}\n`)
  appendFileSync(join(workspace.journal, segment), lines.join(''))
  // The workspace's checker compares every row with what the specification says of the lines.
  await projectOnce(workspace)
  await replay(workspace)
  const columns = ['correlation_id', 'model', 'provider', 'policy']
  for (const column of columns) {
    expect(workspace.query(`SELECT max(octet_length(${column})) AS n FROM requests`)).toEqual([
      { n: expect.toSatisfy((n: number) => n > 1000 && n <= 1024) },
    ])
  }

  const database = openDatabaseReadOnly(workspace.database)
  try {
    const filters = [
      { model: names.model },
      { provider: names.provider, model: names.model },
      { policy: names.policy, model: names.model },
      { labels: { tier: long('tier'), [long('name')]: long('value') }, model: names.model },
    ]
    for (const filter of filters) {
      expect(listRequests(database, filter).total).toBe(2)
      expect(stats(database, filter).counts.total).toBe(2)
      expect(newRequests(database, { afterId: 0, filter }).data).toHaveLength(2)
    }
    expect(listRequests(database, { correlationId: long('id') }).data).toMatchObject([
      { tokens: { output: 7 } },
    ])
    const groups = stats(database, { groupBy: `label:${long('name')}` })['labels'] as object
    expect(Object.values(groups)).toMatchObject([{ counts: { total: 3 } }])
    expect(() => stats(database, { model: long('none') })).toThrow('not found')
  } finally {
    database.close()
  }
})

const COUNT = 1200
const DAYS = ['2026-11-20', '2026-11-21', '2026-11-22']

test('names of 1,000 characters stand once, not in every day and index, and every question finds them', async ({
  workspace,
}) => {
  const name = (index: number) => `Name-${index}-${'x'.repeat(990)}`
  const totals = () =>
    workspace.query('SELECT * FROM rollup_totals ORDER BY grain, grouped_by, period, group_name')
  const segment = (day: string, indexes: number[]) => {
    const events = indexes.map((index) =>
      requestLine(`${day}-${index}`, {
        timestamp: `${day}T10:00:00.000Z`,
        model: name(index),
        latency_ms: index,
      }),
    )
    writeSegment(workspace.journal, lines(...events), `${day}.ndjson`)
  }
  const all = Array.from({ length: COUNT }, (_, index) => index)
  for (const day of DAYS) {
    segment(day, day === DAYS[1] ? [...all, 1, 7] : [1, 1, 7])
    await projectOnce(workspace)
  }
  const journalBytes = workspace.segments().reduce((sum, name) => sum + workspace.readSegment(name).length, 0)
  expect(statSync(workspace.database).size).toBeLessThan(5.5 * journalBytes)

  const database = openDatabaseReadOnly(workspace.database)
  try {
    const groups = stats(database, { groupBy: 'model' })['models'] as Record<
      string,
      { counts: { total: number } }
    >
    expect(Object.keys(groups)).toHaveLength(COUNT)
    expect([groups[name(1)]?.counts.total, groups[name(7)]?.counts.total]).toEqual([6, 4])
    const inOtherCase = stats(database, {
      model: name(7).toUpperCase(),
      groupBy: 'model',
      percentiles: true,
    })
    expect(inOtherCase).toMatchObject({
      counts: { total: 4 },
      performance: { p50_latency_ms: 7 },
      models: { [name(7)]: { counts: { total: 4 } } },
    })
    expect(listNames(database, { prefix: 'nAME-7-x' }).names).toEqual([{ name: name(7), requests: 4 }])
    expect(listNames(database, { prefix: 'name-', limit: 3 })).toMatchObject({
      names: [{ name: name(1), requests: 6 }, { name: name(7), requests: 4 }, { requests: 1 }],
      has_more: true,
    })
    const window = { since: `${DAYS[0]}T00:00:00.000Z`, until: `${DAYS[2]}T23:59:59.999Z` }
    const costs = series(database, { ...window, bucket: 'day', limit: 2, unknown: true })
    expect(costs.requests_by_name).toEqual({
      [name(1)]: [2, 2, 2],
      [name(7)]: [1, 2, 1],
      other: [0, COUNT - 2, 0],
    })
    const top = readFirst(database, { filter: {}, grouping: groupByName(database, 'model') }, 2, 'requests')
    const requests = [...top.groups].map(([key, tally]) => [key, tally.requests])
    expect(requests).toEqual([
      [name(1).toLowerCase(), 6],
      [name(7).toLowerCase(), 4],
    ])
    expect(top.others?.requests).toBe(COUNT - 2)
  } finally {
    database.close()
  }

  expect(await verify(workspace)).toMatchObject({ ok: true, problems: [] })
  const live = totals()
  await replay(workspace)
  expect(totals()).toEqual(live)
  await archiveWith(workspace, { noticeMs: 1, onStep() {} })
  await prune({ ...workspace, before: '2026-11-22' })
  expect(workspace.query('SELECT name FROM rollup_names ORDER BY name')).toEqual([
    { name: name(1) },
    { name: name(7) },
  ])
})

test('verify names a total whose long name is another one', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a', { model: 'm'.repeat(200) })))
  await projectOnce(workspace)
  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  database.exec("UPDATE rollup_names SET name = name || '!'")
  database.close()
  const { ok, problems } = await verify(workspace)
  expect({ ok, kinds: problems.map(({ kind }) => kind) }).toEqual({ ok: false, kinds: ['rollup', 'rollup'] })
})
