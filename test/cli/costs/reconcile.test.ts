import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { insert, test } from '../../queries/support.js'
import { runHere } from '../../support/command.js'

const BILL = `day,model,cost
2026-11-01,gpt-4o,12.5
2026-11-01,o3,1
2026-11-02,gpt-4o,1200.25
2026-11-02,whisper-1,0.36
`

/** Writes a bill beside a database with requests, and gives what runs the command on them. */
function prepare(database: Parameters<typeof insert>[0], bill = BILL) {
  const path = join(dirname(database.name), 'bill.csv')
  writeFileSync(path, bill)
  insert(
    database,
    { timestamp: '2026-11-01T10:00:00.000Z', cost_usd: 12.5 },
    { timestamp: '2026-11-01T10:00:00.000Z', cost_usd: 1, model: 'o3' },
    { timestamp: '2026-11-02T10:00:00.000Z', cost_usd: 1000 },
    { timestamp: '2026-11-02T10:00:00.000Z', cost_usd: null },
    { timestamp: '2026-11-02T10:00:00.000Z', cost_usd: null, success: 0 },
  )
  const places = ['--db', database.name, '--bill', path]
  return (args: string[], environment: Record<string, string> = { COLUMNS: '' }) =>
    runHere(['reconcile', ...places, ...args], environment)
}

const COLUMNS = ['--date-column', 'day', '--model-column', 'model', '--cost-column', 'cost']

test('the page has totals, a table by day and model, one by model, and what differs most', async ({
  database,
}) => {
  const { status, stdout, stderr } = await prepare(database)(COLUMNS)
  expect(stderr).toBe('')
  expect(stdout).toBe(`days        2026-11-01 to 2026-11-02 (UTC)
billed      1,214.11 usd, 4 lines
logged      1,013.50 usd, 5 requests; 2 unpriced (1 failed)
difference  +200.61 usd (+16.5 %)

day (UTC)   model        billed    logged  difference       %  requests      unpriced  note
2026-11-01  gpt-4o        12.50     12.50        0.00     0.0         1             0
2026-11-01  o3             1.00      1.00        0.00     0.0         1             0
2026-11-02  gpt-4o     1,200.25  1,000.00     +200.25   +16.7         3  2 (1 failed)  differs
2026-11-02  whisper-1      0.36         –       +0.36  +100.0         0             0  bill only, differs

model        billed    logged  difference       %  requests      unpriced
gpt-4o     1,212.75  1,012.50     +200.25   +16.5         4  2 (1 failed)
whisper-1      0.36         –       +0.36  +100.0         0             0
o3             1.00      1.00        0.00     0.0         1             0

2 of 4 rows differ by more than 1%.
gpt-4o on 2026-11-02 differs most, by +200.25 usd:
  2 of its 3 requests are unpriced
Only the bill has whisper-1.
`)
  expect(status).toBe(1)
})

test('on a page of 80 columns, counts give way to the amounts and the note', async ({ database }) => {
  const { stdout } = await prepare(database)(COLUMNS, { COLUMNS: '80' })
  expect(stdout).toContain('2026-11-02  whisper-1      0.36         –       +0.36  bill only, differs')
})

test('the exit code is 0 within the tolerance, and --json has exact amounts', async ({ database }) => {
  const reconcile = prepare(database)
  const within = await reconcile([...COLUMNS, '--tolerance', '20%,0.36', '--json'])
  expect(within).toMatchObject({ status: 0, json: { over: 0, total: { difference: '200.61' } } })
  expect(within.stdout.split('\n')).toHaveLength(2)
  expect((await reconcile([...COLUMNS, '--tolerance', '20%'])).status).toBe(1)
})

test('a model of another name is named with the alias that would join it', async ({ database }) => {
  const reconcile = prepare(database, 'day,model,cost\n2026-11-01,GPT 4o,12.5\n')
  expect((await reconcile(COLUMNS)).stdout).toContain("'GPT 4o=gpt-4o'")
  const joined = await reconcile([...COLUMNS, '--alias', 'GPT 4o=gpt-4o', '--alias', 'x=y', '--json'])
  expect(joined).toMatchObject({ status: 1, stderr: expect.stringContaining("no line has the model 'x'") })
  expect((await reconcile([...COLUMNS, '--alias', 'GPT 4o=gpt-4o', '--json'])).json['total']).toMatchObject({
    difference: '-1',
  })
})

test('wrong use is refused with exit code 2, a wrong bill with 1', async ({ database }) => {
  const reconcile = prepare(database, 'day,model,cost\n11/12/2026,m,1\n')
  const failing = async (...args: string[]) => {
    const { status, stderr, stdout } = await reconcile(args)
    expect(stdout).toBe('')
    return `${status} ${stderr}`
  }
  expect(await failing()).toMatch(/^2 .*add --date-column, --model-column, --cost-column/)
  expect(await failing(...COLUMNS, '--tolerance', '5 usd')).toMatch(/^2 .*Expected a percentage such as 1%/)
  expect(await failing(...COLUMNS, '--timezone', 'Berlin')).toMatch(/^2 .*the nearest is Europe\/Berlin/)
  expect(await failing(...COLUMNS, '--currency', 'eur')).toMatch(/^2 .*usd, sats/)
  expect(await failing(...COLUMNS, '--alias', 'x')).toMatch(/^2 .*Expected billed=logged/)
  expect(await failing('--preset', 'openai', '--timezone', 'Asia/Tokyo')).toMatch(
    /^2 .*--timezone: found Asia\/Tokyo/,
  )
  expect(await failing(...COLUMNS)).toMatch(/^1 .*bill\.csv, line 2: found the date '11\/12\/2026'/)
  expect(await failing(...COLUMNS, '--date-format', 'mdy', '--provider', 'nobody')).toMatch(
    /^1 .*'nobody' not found/,
  )
})

test('the environment gives a zone to bills, but not to exports that have days of UTC', async ({
  database,
}) => {
  const environment = { REQUEST_JOURNAL_TIMEZONE: 'Asia/Tokyo', COLUMNS: '' }
  const bill = prepare(database, 'day,model,cost\n2026-11-01T15:30:00Z,gpt-4o,1\n')
  expect((await bill([...COLUMNS, '--json'], environment)).json).toMatchObject({
    timezone: 'Asia/Tokyo',
    since: '2026-11-02',
  })
  const preset = prepare(database, 'usage_date_utc,model,cost_usd\n2026-11-01,gpt-4o,1\n')
  expect((await preset(['--preset', 'anthropic', '--json'], environment)).json).toMatchObject({
    timezone: 'UTC',
    since: '2026-11-01',
  })
})

test('rows of the days whose costs are still to be computed again are told, since what was logged may change', async ({
  database,
}) => {
  const reconcile = prepare(database)
  const row = { model: 'o3', cost_usd: 0, segment_id: 20261101001 }
  insert(
    database,
    { ...row, timestamp: '2026-10-31T23:59:59.999Z', byte_offset: 0 },
    { ...row, timestamp: '2026-11-01T00:00:00.000Z', byte_offset: 100 },
    { ...row, timestamp: '2026-11-02T23:59:59.999Z', byte_offset: 200 },
    { ...row, timestamp: '2026-11-03T00:00:00.000Z', byte_offset: 300 },
  )
  const pending = (from: string) =>
    database.exec(`INSERT OR REPLACE INTO repricing VALUES (1, '', '9999', '${from}', 0, 99, FALSE)`)
  expect((await reconcile([...COLUMNS, '--json'])).json).toMatchObject({ to_reprice: 0 })
  pending('')
  expect((await reconcile([...COLUMNS, '--json'])).json).toMatchObject({ to_reprice: 2 })
  expect((await reconcile(COLUMNS)).stdout).toContain(
    '\nrepricing   2 rows of these days to be repriced: prices or exchange rates came late, so what is logged may change\n',
  )
  pending('2026-11-02T00:00:00.000Z')
  expect((await reconcile([...COLUMNS, '--json'])).json).toMatchObject({ to_reprice: 1 })
  pending('2026-11-03T00:00:00.000Z')
  expect((await reconcile(COLUMNS)).stdout).not.toContain('repricing')
})

test('long names are cut before large amounts would run over a page of 80 columns', async ({ database }) => {
  const long = 'meta-llama/llama-3.3-70b-instruct-turbo-free'
  const reconcile = prepare(
    database,
    `day,model,cost\n2026-11-02,gpt-4o,1234567.89\n2026-11-02,${long},123456.25\n`,
  )
  const { stdout } = await reconcile(COLUMNS, { COLUMNS: '80' })
  const table = stdout.split('\n').filter((line) => /^(day|2026)/.test(line))
  expect(table.map((line) => line.length)).toEqual(table.map((line) => Math.min(line.length, 80)))
  expect(table.at(-1)).toMatch(
    /^2026-11-02 {2}meta-ll\S*… +123,456\.25 +– +\+123,456\.25 {2}bill only, differs$/,
  )
  const wide = await reconcile(COLUMNS, { COLUMNS: '140' })
  expect(wide.stdout).toContain(long)
})

test('what the rounding of a bill explains is said, with the tolerance that allows it', async ({
  database,
}) => {
  const bill =
    'day,model,cost\n2026-11-01,gpt-4o,12.50\n2026-11-01,o3,1.50\n2026-11-02,gpt-4o,500.01\n2026-11-02,gpt-4o,500.00\n'
  const { stdout } = await prepare(database, bill)([...COLUMNS, '--tolerance', '0%'])
  expect(stdout).toMatch(/^2026-11-02 {2}gpt-4o .* rounding$/m)
  expect(stdout).toContain(
    '2 of 3 rows differ by more than 0%, 1 of them by no more than the bill is rounded: --tolerance 0%,0.01 allows that.\n',
  )
})
