import { renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openJournal } from '../../../src/index.js'
import { projectOnce } from '../../../src/projection/index.js'
import { collectMetrics } from '../../../src/server/metrics/collect-metrics.js'
import { renderMetrics } from '../../../src/server/metrics/render-metrics.js'
import { openDatabase, openDatabaseReadOnly } from '../../../src/store/sqlite/connection/database.js'
import { acquireDatabaseLock } from '../../../src/store/sqlite/connection/lock.js'
import { Child } from '../../store/sqlite/support.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { test } from '../../support/workspace.js'
import { seriesKey } from './exposition-parser.js'
import { pageOf } from './metrics-page.js'

const labels = { model: 'gpt-4o', provider: 'unknown', policy: 'unknown' }

test('the page counts what was projected, and what the end of a stream changed', async ({ workspace }) => {
  writeSegment(
    workspace.journal,
    lines(
      requestLine('a', { input_tokens: 10, output_tokens: 5, cost_sats: 1.25, latency_ms: 2600 }),
      requestLine('b', { success: false, error_status: 500 }),
      requestLine('stream', { streaming: true, input_tokens: 12, cost_sats: 2, latency_ms: 50 }),
      completionLine('stream', { input_tokens: 10, output_tokens: 100, cost_sats: 1.5, success: false }),
      completionLine('never'),
      'nonsense',
    ),
  )
  await projectOnce(workspace)
  const { samples } = await pageOf(workspace)
  const value = (name: string) => samples.get(seriesKey(`request_journal_${name}`, labels))
  expect({
    requests: value('requests_total'),
    failures: value('request_failures_total'),
    unpriced: value('unpriced_requests_total'),
    input: value('input_tokens_total'),
    correctedInput: value('corrected_input_tokens_total'),
    output: value('output_tokens_total'),
    cost: value('cost_sats_total'),
    correctedCost: value('corrected_cost_sats_total'),
  }).toEqual({
    requests: 3,
    failures: 2,
    unpriced: 1,
    input: 22,
    correctedInput: 2,
    output: 105,
    cost: 3.25,
    correctedCost: 0.5,
  })
  const latency = (suffix: string, more = {}) =>
    samples.get(
      seriesKey(`request_journal_request_latency_seconds_${suffix}`, {
        model: 'gpt-4o',
        provider: 'unknown',
        ...more,
      }),
    )
  expect(latency('bucket', { le: '0.05' })).toBe(1)
  expect(latency('bucket', { le: '2.5' })).toBe(2)
  expect(latency('bucket', { le: '5' })).toBe(3)
  expect(latency('sum')).toBe(2.75)
  expect(samples.get('request_journal_projected_events')).toBe(5)
  expect(samples.get('request_journal_rejected_lines')).toBe(1)
  expect(samples.get('request_journal_held_completions')).toBe(1)
  expect(samples.get('request_journal_projection_lag_bytes')).toBe(0)
})

test('the page has the lag, the sizes, and whether a projector holds the database', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const writer = openDatabase(database)
  writer.pragma('user_version = 1')
  const lock = acquireDatabaseLock(database, 'project')
  const waiting = lines(requestLine('b'))
  writeSegment(journal, waiting)
  writeFileSync(join(journal, `${DAY}.distrusted`), '{}')
  const { samples } = await pageOf(workspace)
  const value = (name: string) => samples.get(`request_journal_${name}`)
  expect(value('projection_lag_bytes')).toBe(waiting.length)
  expect(value('journal_bytes')).toBe(statSync(join(journal, DAY)).size)
  expect(value('database_bytes')).toBe(statSync(database).size)
  expect(value('wal_bytes')).toBe(statSync(`${database}-wal`).size)
  expect(value('wal_bytes')).toBeGreaterThan(0)
  expect(value('projector_up')).toBe(1)
  expect(value('segments')).toBe(1)
  expect(value('distrusted_segments')).toBe(1)
  expect(value('journal_problems')).toBe(1)
  lock.release()
  writer.close()
  expect((await pageOf(workspace)).samples.get('request_journal_projector_up')).toBe(0)
  workspace.expectDamage()
})

test('a database is found through a symbolic link, beside which SQLite keeps nothing', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const link = join(workspace.directory, 'link.db')
  symlinkSync(workspace.database, link)
  const writer = openDatabase(link)
  writer.pragma('user_version = 1')
  const { samples } = await pageOf({ ...workspace, database: link })
  expect(samples.get('request_journal_wal_bytes')).toBe(statSync(`${workspace.database}-wal`).size)
  expect(samples.get('request_journal_wal_bytes')).toBeGreaterThan(0)
  expect(samples.get('request_journal_database_bytes')).toBe(statSync(workspace.database).size)
  writer.close()
})

test('a journal that is missing or another one is a figure; requests are still counted', async ({
  workspace,
}) => {
  const { journal, database, directory } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const other = join(directory, 'other')
  await openJournal({ directory: other }).close()
  for (const unreadable of [other, join(directory, 'missing')]) {
    const { samples } = await pageOf({ journal: unreadable, database })
    expect(samples.get('request_journal_journal_readable')).toBe(0)
    expect(samples.has('request_journal_projection_lag_seconds')).toBe(false)
    expect(samples.get(seriesKey('request_journal_requests_total', labels))).toBe(1)
  }
})

test('a database that was removed under the connection is an error that says so', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const connection = openDatabaseReadOnly(database)
  renameSync(database, `${database}.old`)
  await expect(
    collectMetrics(connection, { journal, database: database, schema: 'none' }),
  ).rejects.toMatchObject({
    code: 'DATABASE_MISSING',
  })
  connection.close()
  rmSync(`${database}.old`)
})

test('two hundred combinations are told apart unless another limit is given', async ({ workspace }) => {
  const { journal, database } = workspace
  const models = Array.from({ length: 203 }, (_, index) => requestLine(`${index}`, { model: `m${index}` }))
  writeSegment(journal, lines(...models))
  await projectOnce(workspace)
  const other = seriesKey('request_journal_requests_total', {
    model: 'other',
    provider: 'other',
    policy: 'other',
  })
  const page = await pageOf(workspace)
  expect(page.samples.get(other)).toBe(3)
  const connection = openDatabaseReadOnly(database)
  const { requests } = await collectMetrics(connection, { journal, database, schema: 'none', seriesLimit: 3 })
  connection.close()
  expect(requests.combinations.map(({ model }) => model)).toEqual(['m0', 'm1', 'm2'])
  expect(requests.others?.requests).toBe(200n)
})

test('any process gives the same page, also from an input that went through structuredClone', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  writeSegment(
    journal,
    lines(requestLine('a', { cost_sats: 0.1 }), requestLine('b', { model: 'x"y' }), 'nonsense'),
  )
  await projectOnce(workspace)
  const script = `
    import { collectMetrics } from ${builtModule('server/metrics/collect-metrics')}
    import { renderMetrics } from ${builtModule('server/metrics/render-metrics')}
    import { openDatabaseReadOnly } from ${builtModule('store/sqlite/connection/database')}
    const database = openDatabaseReadOnly(${JSON.stringify(database)})
    const options = ${JSON.stringify({ journal, database: database, schema: 'none' })}
    console.log(JSON.stringify(renderMetrics(structuredClone(await collectMetrics(database, options)))))`
  const children = [new Child(script), new Child(script)]
  const pages = await Promise.all(children.map(async (child) => JSON.parse(await child.nextLine())))
  await Promise.all(children.map(({ exited }) => exited))
  const connection = openDatabaseReadOnly(database)
  const own = renderMetrics(await collectMetrics(connection, { journal, database: database, schema: 'none' }))
  connection.close()
  expect(pages).toEqual([own, own])
})

function builtModule(name: string): string {
  return JSON.stringify(new URL(`../../../dist/${name}.js`, import.meta.url).href)
}
