import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { answerByPath, startUpstream } from '../clients/upstream/upstream.js'
import { codeBlocks } from '../support/pages.js'
import { noPostgres, sharedPostgres } from '../support/postgres.js'
import { makeDatabaseBySqlx } from '../support/sqlx-database.js'
import { follow, isThere, Reader, readerWithLog } from './reader.js'
import { rowsIn } from './support.js'

const SPEND_LOGS = new URL('../maintenance/import/files/litellm-spend-logs.csv', import.meta.url)

/** The commands of a part of a page, block by block. */
const shell = (page: string, heading: string) =>
  codeBlocks(page, heading).flatMap(({ language, text }) => (language === 'sh' ? [text] : []))

test.each(['README.md', 'docs/tutorial.md'])(
  'the commands of %s run as they stand in an empty folder',
  async (page) => {
    const upstream = await startUpstream()
    // The first answer to anybody has nothing from a cache.
    upstream.handler = (received) => {
      const answer = answerByPath(received)
      const body = answer.body.replace('"cached_tokens": 8', '"cached_tokens": 0')
      return { ...answer, body: body.replace('"reasoning_tokens": 4', '"reasoning_tokens": 0') }
    }
    expect(await follow(new Reader(upstream.url), page)).toBeGreaterThan(1)
  },
)

test('the commands of docs/operations.md make a backup, and restore one that is older than the database', async () => {
  const reader = await readerWithLog()
  const [backup = '', restore = ''] = shell('docs/operations.md', 'Backup and restore')
  await reader.run(backup)
  await reader.command(['append'], '{"model":"later","latency_ms":1,"success":true}\n')
  await reader.command(['project', '--once'])
  await reader.run(restore)
  const restored = await reader.command(['stats', '--db', 'requests.db', '--json'])
  expect(JSON.parse(restored)).toMatchObject({ counts: { total: 1 } })
})

test('the commands of docs/operations.md take over the table of another program, and import it', async () => {
  const reader = new Reader('')
  const path = join(reader.folder, 'arbstr.db')
  makeDatabaseBySqlx(path)
  const table = new SQLite(path)
  table.exec(
    "INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success) VALUES ('a', '2026-10-30 10:00:00', 'm', 640, 1)",
  )
  table.close()
  const [keep = '', take = ''] = shell('docs/operations.md', 'Move from arbstr, or another sqlx program')
  await reader.run(take)
  expect(await rowsIn(reader.folder)).toMatchObject([{ correlation_id: 'a', latency_ms: 640 }])
  await reader.run(keep.replace('request-journal project', 'request-journal project --once'))
  const kept = await reader.command(['stats', '--db', 'arbstr.db', '--json'])
  // Its own row, and the one that is in the journal now.
  expect(JSON.parse(kept)).toMatchObject({ counts: { total: 2 } })
})

test('the questions of docs/asking.md are answered', async () => {
  expect(await follow(await readerWithLog(), 'docs/asking.md', 'Questions that come up every month')).toBe(1)
})

test('the commands of docs/import.md take in an export of LiteLLM, a CSV file and a table', async () => {
  const reader = new Reader('')
  const file = (name: string) => join(reader.folder, name)
  const spendLogs = readFileSync(SPEND_LOGS, 'utf8').split('\n').slice(0, 5)
  writeFileSync(file('spend-logs.csv'), spendLogs.join('\n'))
  writeFileSync(file('calls.csv'), 'when,model,ms,team\n2026-10-25 02:30:00,gpt-4o,812,search\n')
  const table = new SQLite(file('old.db'))
  table.exec('CREATE TABLE requests (timestamp TEXT, model TEXT, latency_ms INTEGER, success INTEGER)')
  table.exec("INSERT INTO requests VALUES ('2026-10-30 10:00:00', 'gpt-4o', 640, 1)")
  table.close()
  expect(await follow(reader, 'docs/import.md')).toBe(3)
  const rows = await rowsIn(reader.folder)
  expect(rows.map(({ timestamp, labels }) => [timestamp, labels]).slice(-2)).toEqual([
    ['2026-10-25T00:30:00.000Z', { team: 'search' }],
    ['2026-10-30T10:00:00.000Z', undefined],
  ])
  expect(rows).toHaveLength(spendLogs.length - 1 + 2)
})

test.skipIf(noPostgres !== null || !isThere('psql', '--version'))(
  'the commands of docs/import.md export the table of LiteLLM, as CSV and as JSON (needs psql)',
  async () => {
    const reader = new Reader('')
    const schema = `litellm_${randomUUID().slice(0, 8)}`
    const environment = `export LITELLM_DATABASE_URL=${await sharedPostgres()} PGOPTIONS='-c search_path=${schema}'\n`
    const rows = readFileSync(SPEND_LOGS, 'utf8').split('\n').slice(0, 5)
    writeFileSync(join(reader.folder, 'table.csv'), rows.join('\n'))
    const columns = rows[0]?.split(',').map((name) => `"${name}" text`)
    const table = `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}."LiteLLM_SpendLogs" (${columns})`
    await reader.run(`${environment}psql "$LITELLM_DATABASE_URL" -c '${table}' \\
      -c "\\copy \\"LiteLLM_SpendLogs\\" FROM table.csv CSV HEADER"\n`)
    const [csv = '', json = ''] = shell('docs/import.md', 'From LiteLLM')
    await reader.run(csv)
    await reader.run(`${json}request-journal import --from litellm spend-logs.jsonl`)
    // The second file has the same requests.
    expect(await rowsIn(reader.folder)).toHaveLength(4)
  },
)

test('the worked example of docs/pricing.md costs what the page says', async () => {
  const reader = new Reader('')
  expect(await follow(reader, 'docs/pricing.md', 'How a cost is computed')).toBe(1)
  expect(await rowsIn(reader.folder)).toMatchObject([{ cost_usd: 0.02, cost_sats: 29.850746269 }])
})

test('the price lists of docs/pricing.md are compared and imported, and next year’s are tried', async () => {
  const reader = await readerWithLog('openai')
  const file = (name: string) => join(reader.folder, name)
  const [csv] = codeBlocks('docs/pricing.md', 'Importing prices').filter(({ language }) => language === 'csv')
  for (const name of ['our-prices.csv', 'next-year.csv']) writeFileSync(file(name), csv?.text ?? '')
  const price = { input_cost_per_token: 2.5e-6, output_cost_per_token: 1e-5 }
  const model = { ...price, litellm_provider: 'openai', mode: 'chat' }
  writeFileSync(file('model_prices_and_context_window.json'), JSON.stringify({ 'gpt-4o': model }))
  const [commands = ''] = shell('docs/pricing.md', 'Importing prices')
  const printed = await reader.run(commands.replace(/^npm install .*/, ''))
  expect(printed.match(/: [1-9]\d* new/g)).toHaveLength(3)
  const [what = ''] = shell('docs/pricing.md', 'Prices').filter((text) => text.includes('reprice'))
  expect(await reader.run(what)).toContain('gpt-4o')
})

test('serve takes events of other hosts as docs/clients.md starts it', async () => {
  const reader = new Reader('')
  const blocks = codeBlocks('docs/clients.md', 'Events from other hosts')
  const [tokens = '', serve = ''] = shell('docs/clients.md', 'Events from other hosts')
  await reader.run(tokens)
  const url = await reader.serve(serve, 'http://127.0.0.1:8790')
  const token = readFileSync(join(reader.folder, 'ingest-token'), 'utf8').trim()
  const event = { model: 'gpt-4o', latency_ms: 5, success: true }
  const post = async (events: object[]) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(events) })
    return shapeOfJson(await answer.json())
  }
  const shown = blocks.find(({ language }) => language === 'json')?.text ?? ''
  expect(await post([event, event])).toEqual(shapeOfJson(JSON.parse(shown)))
  const [warned] = codeBlocks('docs/http.md', 'POST /v1/events').filter(({ language }) => language === 'json')
  expect(await post([event, { ...event, prompt_tokens: 19 }])).toEqual(
    shapeOfJson(JSON.parse(warned?.text ?? '')),
  )
})

/** An answer whose ids are all the same. */
const shapeOfJson = (answer: unknown) =>
  JSON.stringify(answer).replace(/"[\da-f]{4}(…|[\da-f]{4}-[\da-f-]{27})"/g, '"ID"')

test.skipIf(!isThere('python3', '--version'))(
  'the Python program of docs/clients.md logs through a pipe (needs python3)',
  async () => {
    const reader = new Reader('')
    expect(await follow(reader, 'docs/clients.md', 'Events from a program on this host')).toBe(1)
    const team = { team: 'search' }
    expect(await rowsIn(reader.folder)).toMatchObject([
      { success: true, input_tokens: 19, labels: team },
      { success: false, error_status: 429 },
      { success: true, streaming: true, latency_ms: 310, output_tokens: 10, stream_duration_ms: 6491 },
    ])
  },
)

const hasGo = isThere('go', 'version')
if (!hasGo) console.warn('The test of the Go program of docs/clients.md is skipped: install Go to run it')

test.skipIf(!hasGo)('the Go program of docs/clients.md logs through a pipe (needs go)', async () => {
  const reader = new Reader('')
  const blocks = codeBlocks('docs/clients.md', 'Events from a program on this host')
  const [lines = ''] = blocks.flatMap(({ language, text }) => (language === 'go' ? [text] : []))
  const packages = ['encoding/json', 'os', 'os/exec', 'syscall', 'time'].map((name) => `"${name}"`)
  const program = `package main\nimport (\n${packages.join('\n')}\n)\nfunc record() error {\n${lines}}
func main() {\nif err := record(); err != nil {\npanic(err)\n}\n}\n`
  writeFileSync(join(reader.folder, 'program.go'), program)
  await reader.run('go run program.go')
  expect(await rowsIn(reader.folder)).toMatchObject([
    { model: 'gpt-4o', provider: 'openai', latency_ms: 812, success: true },
  ])
})
