import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import type { ImportOptions } from '../../../src/maintenance/import/options.js'
import { verify } from '../../../src/maintenance/index.js'
import { projectOnce } from '../../../src/projection/index.js'
import { stats } from '../../../src/queries/index.js'
import { openDatabaseReadOnly } from '../../../src/queries/open-database.js'
import { test, type Workspace } from '../../support/workspace.js'
import { exported, importHere } from './support.js'

type Given = Omit<ImportOptions, 'journal'>

/** Imports a file, projects it, and gives what the answer and the table say. */
async function imported({ journal, database, query }: Workspace, given: Given) {
  const result = await importHere({ ...given, journal })
  await projectOnce({ journal, database })
  expect(await verify({ journal, database })).toMatchObject({ problems: [] })
  const opened = openDatabaseReadOnly(database)
  try {
    return {
      result,
      rows: query('SELECT * FROM requests ORDER BY id'),
      costs: stats(opened, { currency: 'usd' }).costs,
    }
  } finally {
    opened.close()
  }
}

const reasons = ({ rejections }: { rejections: { line: number; reason: string }[] }) =>
  rejections.map(({ line, reason }) => `${line} ${reason.replace(/[:;,] .*/, '')}`)

describe('LiteLLM', () => {
  test('rows of LiteLLM_SpendLogs become requests with its costs, parts of usage, users and errors', async ({
    workspace,
  }) => {
    const { result, rows, costs } = await imported(workspace, {
      from: 'litellm',
      file: exported('litellm-spend-logs.csv'),
    })
    expect(result).toMatchObject({ requests: 4, rejected: 1, left_out: 0, from: '2026-10-30T09:15:02.114Z' })
    expect(reasons(result)).toEqual(['6 startTime'])
    // Its times are UTC, so that no zone would help.
    expect(result.rejections[0]?.reason).toMatch(/or 2026-11-22 19:43:00$/)
    // The sum of the column `spend`, without the row that was rejected.
    expect(costs).toMatchObject({
      total_cost_usd: 0.01600392,
      total_input_tokens: 1855,
      total_output_tokens: 1487,
    })
    expect(result.totals).toMatchObject({ cost_usd: '0.01600392', input_tokens: 1855, output_tokens: 1487 })
    expect(rows).toMatchObject([
      {
        correlation_id: 'chatcmpl-AZ1',
        timestamp: '2026-10-30T09:15:02.114Z',
        model: 'gpt-4o',
        response_model: 'gpt-4o-2024-11-20',
        provider: 'openai',
        streaming: 0,
        latency_ms: 1757,
        cost_usd: 0.00366,
        cost_source: 'logged',
        cache_read_input_tokens: 512,
        labels: JSON.stringify({
          user: 'anna',
          end_user: 'cust-9',
          team: 'search',
          key: 'backend',
          session: 'sess-1',
          tags: 'prod,search',
          call_type: 'acompletion',
        }),
      },
      {
        model: 'sonnet',
        streaming: 1,
        latency_ms: 520,
        stream_duration_ms: 7830,
        reasoning_output_tokens: 400,
      },
      {
        success: 0,
        error_status: 429,
        error_message: 'Rate limit reached for [redacted]',
        input_tokens: null,
        cost_usd: 0,
      },
      { model: 'embed-small', output_tokens: 0, cost_usd: 4.2e-7 },
    ])
  })

  test('what is odd in a billed row costs only what is odd, and is counted', async ({ workspace }) => {
    const row = {
      startTime: '2026-10-01 10:00:00',
      endTime: '2026-10-01 10:00:02',
      model: 'gpt-4o',
      spend: 0.5,
    }
    const file = join(workspace.directory, 'odd.jsonl')
    const odd = [
      { ...row, request_id: 'a', model: '', status: 'failure', call_type: 'aembedding' },
      { ...row, request_id: 'b', endTime: '2026-10-01 09:00:00', team_id: 'team-1' },
      { ...row, request_id: 'c', endTime: '2026-10-01 09:00:00', request_duration_ms: 12 },
      { ...row, request_id: 'd', endTime: null, request_duration_ms: 13, metadata: '{"user_api_key' },
      { ...row, request_id: 'e', spend: -0.25, metadata: { user_api_key_team_alias: 'search' } },
      // What no event can have isn't summed.
      { ...row, request_id: 'f', model: '', prompt_tokens: '1e400', completion_tokens: 6 },
      { ...row, request_id: 'g', endTime: null },
      // It isn't added, so nothing of it is noted.
      { ...row, request_id: 'e', spend: 0.75 },
      { ...row, request_id: 'h', prompt_tokens: '1.000', metadata: 'none' },
      { ...row, request_id: 'b', spend: null },
      {
        ...row,
        ...{ request_id: 'i', prompt_tokens: 9 },
        metadata: { additional_usage_values: { cache_read_input_tokens: 10 } },
      },
    ]
    writeFileSync(file, odd.map((it) => JSON.stringify(it)).join('\n'))
    const { result, rows } = await imported(workspace, { from: 'litellm', file })
    expect(result.notes).toMatchObject([
      { note: "failed without a model: the model is 'unknown'", count: 1, first_line: 1 },
      { note: 'endTime is before startTime: latency_ms is 0', first_line: 2 },
      { note: expect.stringMatching(/^no alias of the team in metadata, where others/), values: ['team-1'] },
      { note: 'succeeded without input tokens', count: 5, first_line: 2 },
      { note: 'endTime is before startTime: latency_ms is request_duration_ms', first_line: 3 },
      { note: "metadata isn't an object of JSON: nothing was taken from it", first_line: 4 },
      { note: 'cost_usd is less than 0, and counts as it is', first_line: 5 },
      { note: 'succeeded without a cost', count: 1, first_line: 10 },
      {
        note: 'its id is that of an earlier row, with another time, model, latency or tokens: both count',
        count: 1,
        first_line: 10,
      },
      { note: 'a part of the tokens is larger than the whole, such as cached ones', first_line: 11 },
    ])
    // All of the file's `spend`: each row is in one of these.
    expect(result.totals).toMatchObject({ cost_usd: '2.25', input_tokens: 9 })
    expect(result).toMatchObject({
      ...{ repeated: 1, repeated_differing: 1, rejected: 3 },
      repeated_totals: { cost_usd: '0.75', input_tokens: 0 },
      rejected_totals: { cost_usd: '1.5', input_tokens: 0, output_tokens: 6 },
    })
    expect(result.rejections).toEqual([
      { line: 6, reason: expect.stringContaining('; --set model=… gives one to all rows that have none') },
      {
        line: 7,
        reason: expect.stringContaining('; --set latency_ms=… gives one to all rows that have none'),
      },
      {
        line: 9,
        reason: "prompt_tokens: found '1.000', expected a whole number without separators, such as 1000",
      },
    ])
    expect(rows).toMatchObject([
      { model: 'unknown', success: 0, cost_usd: 0.5, labels: '{"call_type":"aembedding"}' },
      { latency_ms: 0 },
      { latency_ms: 12 },
      { latency_ms: 13 },
      { cost_usd: -0.25 },
      { cost_usd: null },
      { input_tokens: 9 },
    ])
  })

  test.for([
    [
      'a file without its header',
      'chatcmpl-1,0.5,gpt-4o\n',
      'does the file lack its header (`CSV HEADER` of psql)',
    ],
    [
      'the sums of days that /spend/logs answers',
      '[{"startTime": "2026-10-01", "spend": 1, "users": {}, "models": {}}]',
      'has sums of days, not requests: add `summarize=false` to get requests',
    ],
  ] as const)('%s is refused with what helps', async ([, text, message], { workspace }) => {
    const file = join(workspace.directory, 'spend')
    writeFileSync(file, text)
    await expect(importHere({ journal: workspace.journal, from: 'litellm', file })).rejects.toMatchObject({
      code: 'INVALID_CSV',
      message: expect.stringContaining(message),
    })
  })

  test('what /spend/logs answers is read too, with objects and quotes in its texts', async ({
    workspace,
  }) => {
    const { result, rows } = await imported(workspace, {
      from: 'litellm',
      file: exported('litellm-spend-logs.json'),
    })
    expect(result).toMatchObject({ requests: 2, rejected: 0, totals: { cost_usd: '0.0036615' } })
    expect(rows).toMatchObject([
      { correlation_id: 'chatcmpl-BA1', model: 'gpt-4o', response_model: 'openai/gpt-4o' },
      { correlation_id: 'chatcmpl-BA2', model: 'mistral/mistral-small', provider: 'mistral', success: 1 },
    ])
  })
})

describe('Langfuse', () => {
  test('generations of its page become requests, and spans are left out', async ({ workspace }) => {
    const { result, rows } = await imported(workspace, {
      from: 'langfuse',
      file: exported('langfuse-observations.csv'),
    })
    expect(result).toMatchObject({ requests: 2, rejected: 0, left_out: 1, totals: { cost_usd: '0.00303' } })
    expect(rows).toMatchObject([
      {
        correlation_id: 'obs-1',
        provider: 'openai',
        streaming: 1,
        latency_ms: 700,
        stream_duration_ms: 1800,
        input_tokens: 812,
        cache_read_input_tokens: 512,
        output_tokens: 164,
        reasoning_output_tokens: 100,
      },
      {
        success: 0,
        error_message: '429 Too Many Requests',
        latency_ms: 250,
        input_tokens: null,
        cost_usd: null,
      },
    ])
  })

  test('an object a line of its blob storage export is read as UTC', async ({ workspace }) => {
    const { result, rows } = await imported(workspace, {
      from: 'langfuse',
      file: exported('langfuse-observations.jsonl'),
    })
    expect(result).toMatchObject({ requests: 1, left_out: 1, totals: { cost_usd: '0.00036' } })
    expect(result.rejections).toEqual([
      { line: 4, reason: expect.stringContaining('latency_ms: found') },
      { line: 5, reason: expect.stringContaining("found something that isn't JSON") },
    ])
    expect(rows).toMatchObject([
      {
        timestamp: '2026-11-03T13:46:19.963Z',
        latency_ms: 1500,
        input_tokens: 100,
        cache_read_input_tokens: 80,
        output_tokens: 20,
      },
    ])
  })
})

describe('OpenRouter', () => {
  test('generations of its activity export have the cost as the provider told it', async ({ workspace }) => {
    const { result, rows, costs } = await imported(workspace, {
      from: 'openrouter',
      file: exported('openrouter-activity.csv'),
    })
    expect(result).toMatchObject({
      requests: 3,
      rejected: 0,
      totals: { provider_cost_usd: '0.006136845', cost_usd: null },
    })
    expect(costs).toMatchObject({ total_cost_usd: 0.006136845 })
    expect(rows).toMatchObject([
      {
        provider: 'openrouter',
        streaming: 1,
        latency_ms: 850,
        stream_duration_ms: 4210,
        provider_cost_usd: 0.0061245,
        cost_usd: 0.0061245,
        cost_source: 'provider',
        labels: '{"upstream":"Anthropic","key":"backend","app":"chat"}',
      },
      { streaming: 0, latency_ms: 900 },
      { success: 0, timestamp: '2026-11-06T00:00:00.000Z' },
    ])
  })

  test('an answer of /api/v1/generation is read with the tokens of the model itself', async ({
    workspace,
  }) => {
    const { rows } = await imported(workspace, {
      from: 'openrouter',
      file: exported('openrouter-generations.json'),
    })
    expect(rows).toMatchObject([
      {
        timestamp: '2026-07-15T23:33:19.433Z',
        input_tokens: 10,
        output_tokens: 25,
        reasoning_output_tokens: 5,
        provider_cost_usd: 0.0015,
      },
    ])
  })

  test('its export of days is refused, since it has no requests', async ({ workspace }) => {
    const file = join(workspace.directory, 'days.csv')
    writeFileSync(file, 'Date,Slug,Usage,Requests\n2026-11-01,openai/gpt-4o,1.5,20\n')
    await expect(importHere({ journal: workspace.journal, from: 'openrouter', file })).rejects.toMatchObject({
      code: 'INVALID_CSV',
      message: expect.stringContaining('a line for each day and model'),
    })
  })
})

const CALLS: Given = {
  from: 'csv',
  file: exported('calls.csv'),
  timezone: 'Europe/Berlin',
  map: {
    when: 'timestamp',
    ms: 'latency_ms',
    ok: 'success',
    in: 'input_tokens',
    out: 'output_tokens',
    price: 'cost_usd',
    team: 'labels.team',
  },
}

describe('a CSV file of one’s own', () => {
  test('columns are mapped, local times become instants, and rows that can’t be requests are rejected with their lines', async ({
    workspace,
  }) => {
    const { result, rows, costs } = await imported(workspace, CALLS)
    expect(rows.map(({ timestamp, cost_usd }) => [timestamp, cost_usd])).toEqual([
      ['2026-10-24T23:59:59.000Z', 1e-9],
      // Clocks showed it twice: the first of the two.
      ['2026-10-25T00:30:00.000Z', 0.1],
      ['2026-10-25T02:00:00.000Z', 0.2],
      ['2026-10-25T10:00:00.123Z', 0.3],
    ])
    expect(result).toMatchObject({
      requests: 4,
      rejected: 5,
      ambiguous_times: 1,
      totals: { cost_usd: '0.600000001' },
    })
    expect(costs).toMatchObject({ total_cost_usd: 0.600000001, total_input_tokens: 27 })
    expect(result.rejections).toEqual([
      {
        line: 5,
        reason: expect.stringContaining("when: there was no '2026-03-29 02:30:00' in Europe/Berlin"),
      },
      { line: 6, reason: "ms: found 'x', expected a number such as 0.0125" },
      { line: 7, reason: expect.stringContaining('model: found') },
      { line: 8, reason: expect.stringContaining('found 3 fields, expected 8') },
      { line: 9, reason: expect.stringContaining('input_tokens: found -5') },
    ])
    expect(rows[2]).toMatchObject({ success: 0, input_tokens: null, labels: '{"team":"search, new"}' })
  })

  test('a status of a success is no error, and numbers and times in other writing are rejected with a hint', async ({
    workspace,
  }) => {
    const file = join(workspace.directory, 'calls.csv')
    const lines = [
      '2026-10-01T10:00:00Z;200;5;0.5',
      '2026-10-01T10:00:00Z;503;5;0.5',
      '2026-10-01T10:00:00Z;200;1.000;0.5',
      '2026-10-01T10:00:00Z;200;5;"0,011"',
      '25.10.2026 14:30;200;5;0.5',
    ]
    writeFileSync(file, `timestamp,http,input_tokens,cost_usd\n${lines.join('\n').replaceAll(';', ',')}\n`)
    const { result, rows } = await imported(workspace, {
      from: 'csv',
      file,
      map: { http: 'error_status' },
      set: { model: 'gpt-4o', latency_ms: '1' },
    })
    expect(rows.map(({ success, error_status }) => [success, error_status])).toEqual([
      [1, null],
      [0, 503],
    ])
    expect(result.rejections.map(({ reason }) => reason)).toEqual([
      "input_tokens: found '1.000', expected a whole number without separators, such as 1000",
      "cost_usd: found '0,011', expected a number such as 0.0125, with a point and without separators",
      expect.stringContaining('or 2026-11-22 19:43:00 with --timezone: year, month, day in this order'),
    ])
  })

  test('rows without an id are known by all that they tell, as often as an import has brought them', async ({
    workspace,
  }) => {
    const { journal, directory } = workspace
    const write = (name: string, ...rows: string[]) => {
      const file = join(directory, name)
      writeFileSync(file, ['timestamp,model,latency_ms,provider,labels.team,cost_usd', ...rows].join('\n'))
      return file
    }
    const twin = '2026-10-01T10:00:00Z,gpt-4o,100,openai,a,0.1'
    const bad = '2026-10-01T10:00:02Z,gpt-4o,soon,openai,a,0.1'
    const first = await importHere({ journal, from: 'csv', file: write('a.csv', twin, twin, bad) })
    expect(first).toMatchObject({ requests: 2, repeated: 0, rejected: 1 })
    const file = write(
      'b.csv',
      ...[twin, twin.replace('0.1', '1e-1'), twin, bad.replace('soon', '200')],
      twin.replace(',a,', ',b,'),
      '2027-10-01T10:00:00Z,gpt-4o,100,openai,a,0.1',
    )
    const now = () => Date.parse('2026-11-27')
    expect(await importHere({ journal, from: 'csv', file }, { now })).toMatchObject({
      requests: 4,
      already_there: 2,
      repeated: 0,
      notes: [{ note: 'the time is in the future', count: 1 }],
    })
  })

  test('rows without an id get one that follows from file and line', async ({ workspace }) => {
    const first = await importHere({ ...CALLS, journal: workspace.journal, dryRun: true })
    const second = await importHere({ ...CALLS, journal: workspace.journal, dryRun: true })
    expect(first.events.map(({ correlation_id }) => correlation_id)).toEqual(
      second.events.map(({ correlation_id }) => correlation_id),
    )
    expect(new Set(first.events.map(({ correlation_id }) => correlation_id)).size).toBe(4)
  })

  test('times without an offset are refused while nobody says of which zone they are', async ({
    workspace,
  }) => {
    const { journal } = workspace
    await expect(importHere({ ...CALLS, journal, timezone: undefined })).rejects.toMatchObject({
      code: 'INVALID_VALUE',
      message: expect.stringContaining(
        "line 2: when: the time '2026-10-25 01:59:59' has no offset; say which zone such times are in: --timezone UTC",
      ),
    })
    expect(() => workspace.segments()).toThrow('ENOENT')
  })

  test.for([
    ['a column that isn’t there', { map: { wenn: 'timestamp' } }, "the column 'wenn' is missing"],
    [
      'no column for the latency',
      { map: { when: 'timestamp' } },
      'found no column for latency_ms: --map COLUMN=latency_ms names it, or --set',
    ],
  ] as const)('%s is refused, and no journal is made', async ([, given, text], { workspace }) => {
    await expect(importHere({ ...CALLS, ...given, journal: workspace.journal })).rejects.toMatchObject({
      code: 'INVALID_CSV',
      message: expect.stringContaining(text),
    })
    expect(() => workspace.segments()).toThrow('ENOENT')
  })

  test('an option that doesn’t fit is refused by name', async ({ workspace }) => {
    const { journal } = workspace
    await expect(importHere({ ...CALLS, journal, map: { when: 'time' } })).rejects.toThrow(
      "map: found the field 'time', expected one of correlation_id",
    )
    await expect(importHere({ ...CALLS, journal, table: 'requests' })).rejects.toThrow(
      "table: found one with 'csv', expected 'sqlite'",
    )
  })
})

describe('a table', () => {
  test('columns that are named as fields need no map: a table of the sqlx program is read as it is', async ({
    workspace,
  }) => {
    const file = join(workspace.directory, 'old.db')
    const old = new SQLite(file)
    old.exec(`CREATE TABLE requests (id INTEGER PRIMARY KEY, correlation_id TEXT NOT NULL, timestamp TEXT NOT NULL, model TEXT NOT NULL,
        provider TEXT, policy TEXT, streaming BOOLEAN NOT NULL, input_tokens INTEGER, output_tokens INTEGER, cost_sats REAL,
        provider_cost_sats REAL, latency_ms INTEGER NOT NULL, success BOOLEAN NOT NULL, error_status INTEGER, error_message TEXT);
      INSERT INTO requests VALUES (1, 'c-1', '2026-02-03T10:00:00+00:00', 'gpt-4o', 'openai', 'cheapest', 0, 10, 5, 12.5, 11.75, 840, 1, NULL, NULL),
        (2, 'c-2', '2026-02-03 10:00:01', 'gpt-4o', NULL, NULL, 1, NULL, NULL, NULL, NULL, 12, 0, 503, 'upstream down')`)
    old.close()
    const { result, rows } = await imported(workspace, {
      from: 'sqlite',
      file,
      table: 'requests',
      timezone: 'UTC',
      set: { provider: 'none' },
    })
    expect(result).toMatchObject({
      requests: 2,
      rejected: 0,
      totals: { cost_sats: '12.5', provider_cost_sats: '11.75', cost_usd: null },
    })
    expect(rows).toMatchObject([
      {
        correlation_id: 'c-1',
        policy: 'cheapest',
        cost_sats: 12.5,
        provider_cost_sats: 11.75,
        latency_ms: 840,
        success: 1,
      },
      {
        correlation_id: 'c-2',
        provider: 'none',
        streaming: 1,
        success: 0,
        error_status: 503,
        timestamp: '2026-02-03T10:00:01.000Z',
      },
    ])
    const again = await importHere({
      journal: workspace.journal,
      from: 'sqlite',
      file,
      table: 'requests',
      timezone: 'UTC',
      set: { provider: 'none' },
    })
    expect(again).toMatchObject({ already_imported: true, requests: 0 })
    await expect(
      importHere({ journal: workspace.journal, from: 'sqlite', file, table: 'request' }),
    ).rejects.toThrow("found no table 'request'; there are 'requests'; the nearest is 'requests'")
  })
})
