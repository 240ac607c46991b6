import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { getRequest, getRequestsOf, openDatabaseReadOnly } from '../../../src/queries/index.js'
import { ask as query } from '../../support/fleet-checker.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../../support/lines.js'
import { newSchema } from '../../support/new-schema.js'
import { noPostgres } from '../../support/postgres.js'
import { test, type Workspace } from '../../support/workspace.js'

const LOGGED = requestLine('a', {
  provider: 'openai',
  policy: 'chat',
  streaming: true,
  provider_cost_sats: 0.5,
  labels: { team: 'search', 'ü"': '1' },
})
const COMPLETED = completionLine('a', {
  output_tokens: 5,
  cost_sats: 2,
  stream_duration_ms: 900,
  success: true,
})

async function ask({ journal, database }: Workspace, id: number, directory: string | undefined = journal) {
  const connection = openDatabaseReadOnly(database)
  try {
    return await getRequest(connection, id, { journal: directory })
  } finally {
    connection.close()
  }
}

async function project(workspace: Workspace, ...text: string[]): Promise<void> {
  writeSegment(workspace.journal, lines(...text))
  await projectOnce(workspace)
}

test('the whole row, and the lines that it came from', async ({ workspace }) => {
  const first = requestLine('first')
  await project(workspace, first, LOGGED, COMPLETED)
  const offset = Buffer.byteLength(first) + 1
  expect(await ask(workspace, 2)).toEqual({
    id: 2,
    timestamp: '2026-11-22T10:00:00.000Z',
    model: 'gpt-4o',
    provider: 'openai',
    streaming: true,
    success: true,
    response_model: null,
    service_tier: null,
    tokens: {
      ...{ input: null, output: 5, cache_read_input: null, cache_creation_input: null },
      ...{ cache_creation_1h_input: null, audio_input: null, image_input: null },
      ...{ reasoning_output: null, audio_output: null },
    },
    cost: { sats: 2, usd: null },
    cost_source: 'logged',
    cost_currency: 'sats',
    price: null,
    cost_parts: null,
    exchange_rate: null,
    // Nobody uses dollars here.
    unpriced: null,
    provider_cost_usd: null,
    timing: { latency_ms: 100, stream_duration_ms: 900 },
    correlation_id: 'a',
    attempt: null,
    policy: 'chat',
    provider_cost_sats: null,
    labels: { team: 'search', 'ü"': '1' },
    state: 'finished',
    place: { segment: DAY, byte_offset: offset },
    completed_place: { segment: DAY, byte_offset: offset + Buffer.byteLength(LOGGED) + 1 },
    line: { text: LOGGED },
    completed_line: { text: COMPLETED },
  })
  expect(await ask(workspace, 1)).toMatchObject({ completed_place: null, completed_line: null, labels: null })
  expect(await ask(workspace, 3)).toBeNull()
})

test('its details, and the price that its cost was computed with', async ({ workspace }) => {
  const price = {
    ...{ provider: null, model: 'gpt-4o-2026', valid_from: '2026-11-01T00:00:00.000Z', currency: 'usd' },
    ...{ per_million: { input: '2', cache_read_input: '0.5', output: '10' }, per_request: null },
    ...{ service_tier: null, min_input_tokens: null, source: 'the bill' },
  }
  const usage = { input_tokens: 1000, cache_read_input_tokens: 400, output_tokens: 100 }
  await project(
    workspace,
    requestLine('a', { ...usage, response_model: 'gpt-4o-2026', reasoning_output_tokens: 60 }),
    checkedLine({ type: 'price_set', ...price }),
  )
  expect(await ask(workspace, 1)).toMatchObject({
    response_model: 'gpt-4o-2026',
    tokens: { input: 1000, cache_read_input: 400, reasoning_output: 60, audio_output: null },
    cost: { sats: null, usd: 0.0024 },
    cost_source: 'price_book',
    cost_currency: 'usd',
    price: { ...price, segment: DAY, byte_offset: expect.any(Number) },
  })
})

test('from an archived segment', async ({ workspace }) => {
  await project(workspace, ...Array.from({ length: 5000 }, (_, i) => requestLine(`r${i}`)), LOGGED, COMPLETED)
  const path = join(workspace.journal, DAY)
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)))
  rmSync(path)
  expect(await ask(workspace, 5001)).toMatchObject({
    line: { text: LOGGED },
    completed_line: { text: COMPLETED },
  })
})

test('an event that was found within a damaged line is its own bytes', async ({ workspace }) => {
  await project(workspace, `{"broken":${LOGGED}${requestLine('b')}`)
  expect(await ask(workspace, 1)).toMatchObject({ place: { byte_offset: 10 }, line: { text: LOGGED } })
  expect(await ask(workspace, 2)).toMatchObject({ line: { text: requestLine('b') } })
})

test('a line of nearly 1 MiB is whole', async ({ workspace }) => {
  const long = requestLine('long', { extra: 'x'.repeat(1_000_000) })
  await project(workspace, long, requestLine('b'))
  expect(await ask(workspace, 1)).toMatchObject({ line: { text: long } })
})

describe('a line that can’t be shown says why', () => {
  const reason = (text: string) => ({ line: { text: null, reason: expect.stringContaining(text) } })

  test('no journal was named', async ({ workspace }) => {
    await project(workspace, LOGGED)
    const connection = openDatabaseReadOnly(workspace.database)
    expect(await getRequest(connection, 1)).toMatchObject(reason('no journal was named'))
    connection.close()
  })

  test.for<[string, (path: string) => void, string]>([
    ['the segment is gone', (path) => rmSync(path), 'has no segment 2026-11-22.ndjson'],
    ['it ends before', (path) => writeFileSync(path, ''), 'ends before byte 0'],
    [
      'it is damaged',
      (path) => writeFileSync(path, `${LOGGED.replace('gpt', 'GPT')}\n`),
      'there is no event at byte 0',
    ],
    [
      'it is another journal',
      (path) => writeFileSync(path, `${requestLine('other')}\n`),
      'there is another request',
    ],
    [
      'the archive is damaged',
      (path) => {
        rmSync(path)
        writeFileSync(`${path}.gz`, 'no gzip')
      },
      "Can't read",
    ],
  ])('%s', async ([, damage, text], { workspace }) => {
    await project(workspace, LOGGED)
    workspace.expectDamage()
    damage(join(workspace.journal, DAY))
    expect(await ask(workspace, 1)).toMatchObject(reason(text))
  })
})

test.skipIf(noPostgres !== null)(
  `PostgreSQL's copy has a line that begins in one of its chunks and ends in the next, unless that is damaged${noPostgres === null ? '' : ` (${noPostgres})`}`,
  async ({ workspace }) => {
    const { journal } = workspace
    const { database, schema } = await newSchema('lines')
    writeSegment(journal, lines('x'.repeat(1024 * 1024 - 50), requestLine('across'), requestLine('after')))
    await projectOnce({ journal, database, schema })
    const connection = openDatabaseReadOnly(database, { schema })
    try {
      for (const id of ['across', 'after']) {
        expect(await getRequestsOf(connection, id)).toMatchObject([{ line: { text: requestLine(id) } }])
      }
      await query(database, `UPDATE ${schema}.journal_chunks SET bytes = 'damaged' WHERE byte_offset > 0`)
      const reason = `PostgreSQL's copy of ${DAY} is damaged at byte ${1024 * 1024}`
      expect(await getRequestsOf(connection, 'across')).toMatchObject([{ line: { text: null, reason } }])
    } finally {
      connection.close()
    }
  },
)
