import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { beforeAll, describe, expect } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { openDatabaseReadOnly, type StatsSection, stats } from '../../../src/queries/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { runHere } from '../../support/command.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { readPage } from '../../support/pages.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { S3Server } from '../../support/s3-server.js'
import { test, type Workspace } from '../../support/workspace.js'

/** Requests of three days, with all that a column can hold. */
async function fill({ journal, database }: Workspace): Promise<void> {
  const models = ['gpt-4o', 'claude', 'ü "quoted"']
  const many = Array.from({ length: 600 }, (_, n) =>
    requestLine(`r${n}`, {
      timestamp: new Date(Date.parse('2026-11-20T22:00:00.123Z') + n * 300_000).toISOString(),
      model: models[n % 3],
      provider: n % 4 === 0 ? null : 'p',
      success: n % 7 !== 0,
      latency_ms: n,
      ...(n % 5 === 0 ? {} : { input_tokens: n * 1000, output_tokens: 7 * n }),
      ...(n % 3 === 0 ? {} : { cost_sats: n * 0.1 + 0.000_000_001, cost_usd: 1 / (n + 1) }),
      ...(n % 2 === 0 ? {} : { labels: { team: `t${n % 3}`, "it's": '{"é"}' } }),
    }),
  )
  const odd = [
    requestLine('big', {
      timestamp: '2026-11-21T00:00:00Z',
      cost_sats: 123_456_789_012.5,
      input_tokens: 9e11,
    }),
    requestLine('streamed', { streaming: true, attempt: 0 }),
    completionLine('streamed', {
      success: false,
      error_status: 500,
      error_message: 'no\u0001',
      stream_duration_ms: 3,
    }),
  ]
  writeSegment(journal, lines(...many, ...odd))
  await projectOnce({ journal, database })
}

async function ask(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[]
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

function tableOf(folder: string): string {
  return `read_parquet('${folder}/*/*.parquet', hive_partitioning = true)`
}

/** Compares all sums of the files with those of `stats`, in whole and by day and model. */
async function expectSums(folder: string, database: string, schema?: string): Promise<void> {
  const opened = await openDatabaseReadOnly(database, ...(schema === undefined ? [] : [{ schema }]))
  const sums = `count(*) AS total, count(*) FILTER (WHERE success) AS success, count(*) FILTER (WHERE streaming) AS streaming,
    coalesce(sum(cost_sats), 0) AS sats, coalesce(sum(cost_usd), 0) AS usd, sum(input_tokens) AS input,
    sum(output_tokens) AS output, sum(latency_ms)::BIGINT AS latency`
  const compare = (
    row: Record<string, unknown> | undefined,
    { counts, costs, performance }: StatsSection,
  ) => {
    expect(Number(row?.['total'])).toBe(counts.total)
    expect(Number(row?.['success'])).toBe(counts.success)
    expect(Number(row?.['streaming'])).toBe(counts.streaming)
    expect(Number(row?.['sats'])).toBe(costs.total_cost_sats)
    expect(Number(row?.['usd'])).toBe(costs.total_cost_usd)
    expect(Number(row?.['input'])).toBe(costs.total_input_tokens)
    expect(Number(row?.['output'])).toBe(costs.total_output_tokens)
    expect(Number(row?.['latency']) / counts.total).toBe(performance.avg_latency_ms)
  }
  const table = tableOf(folder)
  try {
    const asked = { unknown: true }
    compare((await ask(`SELECT ${sums} FROM ${table}`))[0], stats(opened, asked))
    const byDay = await ask(`SELECT day::VARCHAR AS day, ${sums} FROM ${table} GROUP BY ALL`)
    const { days = {} } = stats(opened, { ...asked, groupBy: 'day' })
    expect(byDay.map(({ day }) => day).sort()).toEqual(Object.keys(days))
    for (const row of byDay) compare(row, days[String(row['day'])] as StatsSection)
    const byModel = await ask(`SELECT model, ${sums} FROM ${table} GROUP BY ALL`)
    const { models = {} } = stats(opened, { ...asked, groupBy: 'model' })
    for (const row of byModel) compare(row, models[String(row['model'])] as StatsSection)
    expect(byModel).toHaveLength(Object.keys(models).length)
  } finally {
    opened.close()
  }
}

function args(database: string, output: string): string[] {
  return ['export', '--db', database, '--format', 'parquet', '--partition-by', 'day', '--output', output]
}

describe('export --format parquet', () => {
  test('DuckDB reads a table with the types, the rows and the sums of the database', async ({
    workspace,
  }) => {
    await fill(workspace)
    const folder = join(workspace.directory, 'lake')
    const { status, stdout, stderr } = await runHere(args(workspace.database, folder))
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
    expect(stderr).toMatch(/^602 requests of 3 days to 3 files in .*lake: /)
    expect(readdirSync(folder).sort()).toEqual(['day=2026-11-20', 'day=2026-11-21', 'day=2026-11-22'])
    expect(statSync(join(folder, 'day=2026-11-20/part-00000.parquet')).mode & 0o777).toBe(0o600)

    const types = await ask(`DESCRIBE SELECT * FROM ${tableOf(folder)}`)
    const typeOf = (column: string) => types.find((row) => row['column_name'] === column)?.['column_type']
    expect(typeOf('timestamp')).toBe('TIMESTAMP WITH TIME ZONE')
    expect(typeOf('cost_usd')).toBe('DECIMAL(38,9)')
    expect(typeOf('labels')).toBe('MAP(VARCHAR, VARCHAR)')
    expect([typeOf('id'), typeOf('success'), typeOf('day')]).toEqual(['BIGINT', 'BOOLEAN', 'DATE'])
    await expectSums(folder, workspace.database)
    const [, documented = ''] = /-- DuckDB\n(.*?;)\n--/s.exec(readPage('docs/fleet.md')) ?? []
    const days = await ask(documented.replace('s3://lake/requests', folder))
    expect(new Set(days.map(({ day }) => day)).size).toBe(3)

    const exported = (await runHere(['export', '--db', workspace.database, '--order', 'timestamp'])).stdout
    const expected = exported
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const rows = await ask(
      `SELECT * REPLACE (epoch_ms(timestamp)::BIGINT AS timestamp, to_json(labels)::VARCHAR AS labels) FROM ${tableOf(folder)} ORDER BY day, timestamp, id`,
    )
    expect(rows).toHaveLength(expected.length)
    for (const [
      index,
      { id, timestamp, labels = null, cost_sats, cost_usd, ...texts },
    ] of expected.entries()) {
      const row = rows[index] ?? {}
      expect(Number(row['id'])).toBe(id)
      expect(Number(row['timestamp'])).toBe(Date.parse(timestamp))
      expect(JSON.parse(String(row['labels']))).toEqual(labels)
      expect(row['cost_sats'] === null ? null : Number(row['cost_sats'])).toBe(rounded(cost_sats))
      expect(row['cost_usd'] === null ? null : Number(row['cost_usd'])).toBe(rounded(cost_usd ?? null))
      for (const name of [
        'model',
        'provider',
        'correlation_id',
        'success',
        'error_message',
        'segment',
      ] as const) {
        expect(row[name], name).toBe(texts[name])
      }
    }
  })

  test('a second run replaces nothing, and says which day is there', async ({ workspace }) => {
    await fill(workspace)
    const folder = join(workspace.directory, 'lake')
    const asked = args(workspace.database, folder)
    expect((await runHere([...asked, '--since', '2026-11-21', '--until', '2026-11-21'])).status).toBe(0)
    const { status, stderr } = await runHere(asked)
    expect(status).toBe(1)
    expect(stderr).toContain(
      `error: ${folder}/day=2026-11-21 is there already, and an export replaces nothing`,
    )
    expect(readdirSync(folder).sort()).toEqual(['day=2026-11-20', 'day=2026-11-21'])
    expect((await runHere([...asked, '--since', '2026-11-22'])).status).toBe(0)
    await expectSums(folder, workspace.database)
  })

  test('to an object store, whatever its answers', async ({ workspace }) => {
    await fill(workspace)
    const server = await S3Server.start()
    server.faults.push({ method: 'PUT', fault: 'lose-answer' }, { method: 'PUT', fault: 'slow-down' })
    const asked = args(workspace.database, 's3://logs/lake')
    expect(await runHere(asked)).toMatchObject({ status: 0, stdout: '' })
    const folder = join(workspace.directory, 'fetched')
    for (const [key, { bytes }] of server.objects) {
      const path = join(folder, key)
      mkdirSync(join(path, '..'), { recursive: true })
      writeFileSync(path, bytes)
    }
    expect([...server.objects.keys()].sort()).toEqual(
      ['20', '21', '22'].map((day) => `lake/day=2026-11-${day}/part-00000.parquet`),
    )
    await expectSums(join(folder, 'lake'), workspace.database)
    expect((await runHere(asked)).stderr).toContain('s3://logs/lake/day=2026-11-20 is there already')
  })

  test('an unknown model, and options of another format, leave nothing', async ({ workspace }) => {
    await fill(workspace)
    const folder = join(workspace.directory, 'lake')
    const asked = args(workspace.database, folder)
    expect((await runHere([...asked, '--model', 'none'])).status).toBe(1)
    const wrong: [string[], string][] = [
      [asked.slice(0, 5), "needs '--partition-by day' and '--output"],
      [[...asked, '--order', 'id'], "takes only '--order timestamp'"],
      [[...asked, '--bom'], "needs '--format csv'"],
      [['export', '--db', workspace.database, '--output', 's3://logs/x'], "needs '--format parquet'"],
    ]
    for (const [words, expected] of wrong) {
      expect(await runHere(words)).toMatchObject({ status: 2, stderr: expect.stringContaining(expected) })
    }
    expect(existsSync(folder)).toBe(false)
  })
})

describe.skipIf(noPostgres !== null)(
  `export --format parquet from PostgreSQL${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    const schema = `parquet_${randomUUID().replaceAll('-', '')}`
    let address = ''

    beforeAll(async () => {
      if (noPostgres !== null) return
      address = await sharedPostgres()
      await migratePostgres(postgresAddress(address), schema, { monthsAhead: 1 })
    })

    test('has the rows of every journal, with equal sums', async ({ workspace }) => {
      await fill(workspace)
      const { journal, directory } = workspace
      await projectOnce({ journal, database: address, schema })
      const other = join(directory, 'other')
      writeSegment(
        other,
        lines(requestLine('x', { cost_sats: 0.3, model: 'gpt-4o' })),
        undefined,
        randomUUID(),
      )
      await projectOnce({ journal: other, database: address, schema })
      const folder = join(directory, 'lake')
      expect(await runHere([...args(address, folder), '--schema', schema])).toMatchObject({
        status: 0,
        stdout: '',
      })
      await expectSums(folder, address, schema)
    })
  },
)

/** A cost with the nine decimals that sums have. */
function rounded(cost: number | null): number | null {
  return cost === null ? null : Number(cost.toFixed(9))
}
