import { expect } from 'vitest'
import { formatStats } from '../../src/cli/output/stats-page.js'
import { displayWidth } from '../../src/cli/output/terminal.js'
import { projectOnce } from '../../src/projection/index.js'
import { openDatabaseReadOnly, stats } from '../../src/queries/index.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

async function fill({ journal, database }: Workspace): Promise<void> {
  const hour = (h: number) => `2026-11-22T${String(h).padStart(2, '0')}:30:00.000Z`
  writeSegment(
    journal,
    lines(
      requestLine('a', {
        timestamp: hour(8),
        provider: 'openai',
        cost_sats: 2,
        labels: { team: 'a=b', tier: 'local' },
      }),
      requestLine('b', { timestamp: hour(8), provider: 'openai', latency_ms: 300, labels: { team: 'x' } }),
      requestLine('c', { timestamp: hour(11), model: 'o3', policy: 'chat', success: false, latency_ms: 900 }),
    ),
  )
  await projectOnce({ journal, database })
}

test('filters and groups of the command line are those of the answer', async ({ workspace }) => {
  await fill(workspace)
  const json = async (...args: string[]) => {
    const { status, stderr, json } = await runHere(['stats', '--db', workspace.database, '--json', ...args])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return json
  }
  expect(await json('--model', 'GPT-4O', '--provider', 'OpenAI')).toMatchObject({ counts: { total: 2 } })
  expect(await json('--policy', 'chat')).toMatchObject({ counts: { total: 1, error: 1 } })
  expect(await json('--label', 'team=a=b', '--label', 'tier=local')).toMatchObject({ counts: { total: 1 } })
  expect(await json('--until', '2026-11-22T09:00:00Z')).toMatchObject({ counts: { total: 2 } })
  // A date is a whole day, and an end covers what it names.
  expect(await json('--since', '2026-11-22', '--until', '2026-11-22T08:30')).toMatchObject({
    counts: { total: 2 },
    since: '2026-11-22T00:00:00.000Z',
    until: '2026-11-22T08:30:59.999Z',
  })
  expect(await json('--until', '2026-11-21')).toMatchObject({ counts: { total: 0 } })
  expect(await json('--range', '90m')).toMatchObject({ counts: { total: 0 } })
  // Finer than what rows have, it is behind those of its millisecond, as in the HTTP API.
  expect(
    await json('--since', '2026-11-22T09:30:00.0004+01:00', '--until', '2026-11-22T11:30:00.0009Z'),
  ).toMatchObject({
    counts: { total: 1, error: 1 },
    since: '2026-11-22T08:30:00.0004Z',
    until: '2026-11-22T11:30:00.0009Z',
  })
  expect(await json('--range', 'last_1h')).not.toHaveProperty('percentiles')
  expect(await json('--group-by', 'label:team')).toMatchObject({
    labels: {
      'a=b': { counts: { total: 1 } },
      x: { counts: { total: 1 } },
      unknown: { counts: { total: 1 } },
    },
  })
  const { stdout } = await runHere(['stats', '--db', workspace.database, '--group-by', 'label:team'])
  expect(stdout).toMatch(/^team +requests +share/m)
  expect(await json('--group-by', 'tier', '--percentiles', '--unpriced')).toMatchObject({
    counts: { unpriced: 2 },
    tiers: { local: { performance: { p99_latency_ms: 100.5 } }, unknown: { counts: { unpriced: 2 } } },
  })
  // Groups without requests are left out, which the HTTP API must list.
  const { tiers } = (await json('--group-by', 'tier')) ?? {}
  expect(Object.keys(tiers as object)).toEqual(['local', 'unknown'])
  const { models } = (await json('--group-by', 'model', '--label', 'team=x')) ?? {}
  expect(Object.keys(models as object)).toEqual(['gpt-4o'])
  expect((await runHere(['stats', '--db', workspace.database, '--model', 'o3'])).stdout).not.toContain(
    'gpt-4o',
  )
  for (const [group, section] of Object.entries({
    provider: 'providers',
    policy: 'policies',
    hour: 'hours',
    day: 'days',
  })) {
    expect(await json('--group-by', group)).toHaveProperty(section)
  }
})

test('days, dates and months are those of a time zone', async ({ workspace }) => {
  writeSegment(
    workspace.journal,
    lines(
      requestLine('a', { timestamp: '2026-10-31T22:59:59.999Z' }),
      requestLine('b', { timestamp: '2026-10-31T23:00:00.000Z' }),
      requestLine('c', { timestamp: '2026-11-01T22:59:59.999Z' }),
      requestLine('d', { timestamp: '2026-10-24T23:30:00.000Z' }),
      requestLine('e', { timestamp: '2026-10-25T00:30:00.000Z' }),
      requestLine('f', { timestamp: '2026-10-25T01:30:00.000Z' }),
    ),
  )
  await projectOnce(workspace)
  const ask = (...args: string[]) =>
    runHere(['stats', '--db', workspace.database, '--timezone', 'Europe/Berlin', ...args])
  const { json } = await ask('--json', '--group-by', 'day', '--since', '2026-11-01', '--until', '2026-11-01')
  expect(json).toMatchObject({
    since: '2026-10-31T23:00:00.000Z',
    until: '2026-11-01T22:59:59.999Z',
    timezone: 'Europe/Berlin',
    days: { '2026-11-01': { counts: { total: 2 } } },
  })
  // A month, a day and a year that are named are those of the zone, whole.
  const countOf = async (...args: string[]) => (await ask('--json', ...args)).json?.['counts']
  expect(await countOf('--range', '2026-11')).toMatchObject({ total: 2 })
  expect(await countOf('--range', '2026-10')).toMatchObject({ total: 4 })
  expect(await countOf('--range', '2026-10-31')).toMatchObject({ total: 1 })
  expect(await countOf('--range', '2026')).toMatchObject({ total: 6 })
  expect(await countOf('--since', '2026-10', '--until', '2026-10')).toMatchObject({ total: 4 })
  expect(await ask('--range', '2026-13')).toMatchObject({ status: 2 })
  const list = await runHere(['requests', '--db', workspace.database, '--timezone', 'Europe/Berlin'])
  expect(list.stdout).toMatch(/^time \(Europe\/Berlin\) .*\n2026-11-01 23:59:59 +3 /)
  const twice = await ask('--group-by', 'hour', '--range', '2026-10-25')
  expect(twice.stdout.match(/^2026-10-25 0\d:00(?: [+-]\S+)?/gm)).toEqual([
    '2026-10-25 01:00',
    '2026-10-25 02:00 +02:00',
    '2026-10-25 02:00 +01:00',
  ])
  const { stdout } = await ask('--group-by', 'hour', '--since', '2026-11-01')
  expect(stdout).toMatch(/^window {4}since 2026-11-01 00:00:00 Europe\/Berlin$/m)
  expect(stdout).toMatch(/^hour \(Europe\/Berlin\)/m)
  expect(stdout).toMatch(/^2026-11-01 00:00 +1/m)
  const { status, stderr } = await runHere(['stats', '--db', workspace.database, '--timezone', 'Berln'])
  expect({ status, stderr }).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/Invalid timezone 'Berln', .*; the nearest is Europe\/Berlin\.$/m),
  })
})

test('a label that no request has is named, and groups are sorted by cost when asked', async ({
  workspace,
}) => {
  const labels = { team: 'search' }
  writeSegment(
    workspace.journal,
    lines(
      requestLine('a', { cost_usd: 1, labels }),
      requestLine('b', { cost_usd: 1, labels }),
      requestLine('c', { cost_usd: 9 }),
      requestLine('d', { cost_usd: 0.5, labels: { team: '' } }),
    ),
  )
  await projectOnce(workspace)
  const ask = (...args: string[]) => runHere(['stats', '--db', workspace.database, ...args])
  expect((await ask('--group-by', 'label:Team')).stderr).toBe(
    "note: no request in this window has the label 'Team'\n",
  )
  expect((await ask('--group-by', 'label:team,model', '--json')).stderr).toMatch(
    /'team,model': the comma is part of the name/,
  )
  expect((await ask('--label', 'team=unknown')).stderr).toBe(
    'note: in this window the label \'team\' has these values: "", search; --without-label team takes those without one\n',
  )
  const { stdout, stderr } = await ask('--group-by', 'label:team', '--sort', 'cost')
  expect(stderr).toBe('')
  expect(stdout).toMatch(
    /^team .* usd +share .*\n\(no team\) .* 9\.0000 +78\.3 % +0 .*\nsearch .* 17\.4 % .*\n"" .* 4\.3 % /m,
  )
  const { json } = await ask('--group-by', 'label:team', '--sort', 'cost', '--limit', '1', '--json')
  expect(json).toMatchObject({
    labels: { unknown: { counts: { total: 1 } } },
    unknown_group: 'unknown',
  })
  const dearest = await runHere(['requests', '--db', workspace.database, '--sort', 'cost', '--json'])
  expect(dearest.json).toMatchObject({ data: [{ id: 3 }, { id: 2 }, { id: 1 }, { id: 4 }] })
})

test('--format csv has a row for each group in the order of the table, every digit, and nothing where nothing is known', async ({
  workspace,
}) => {
  const labels = { team: '=search' }
  writeSegment(
    workspace.journal,
    lines(
      requestLine('a', { cost_usd: 0.1, labels, input_tokens: 3, output_tokens: 0 }),
      requestLine('b', { cost_usd: 0.200000001, labels }),
      requestLine('c', { cost_usd: -0.5, labels: { team: 'refunds' } }),
      requestLine('d', { model: 'o3', latency_ms: 200 }),
      requestLine('e', { model: 'o3' }),
    ),
  )
  await projectOnce(workspace)
  const ask = (...args: string[]) => runHere(['stats', '--db', workspace.database, ...args])
  const csv = async (...args: string[]) => {
    const { status, stderr, stdout } = await ask('--format', 'csv', ...args)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return stdout.trimEnd().split('\n')
  }
  const byTeam = ['--group-by', 'label:team', '--sort', 'cost']
  const [header = '', ...rows] = await csv(...byTeam)
  expect(header).toMatch(
    /^label:team,total,success,error,streaming,total_input_tokens,total_output_tokens,total_cost_sats,unpriced,/,
  )
  const titles = header.split(',')
  const cells = rows.map((row) => row.split(',').map((cell, at) => [titles[at], cell]))
  expect(cells.map((row) => Object.fromEntries(row))).toMatchObject([
    {
      ...{ 'label:team': "'=search", total: '2', total_input_tokens: '3', total_output_tokens: '0' },
      ...{ total_cost_sats: '', total_cost_usd: '0.300000001', unpriced_usd: '0' },
    },
    { 'label:team': '(no team)', total: '2', total_cost_usd: '', unpriced_usd: '2', avg_latency_ms: '150' },
    { 'label:team': 'refunds', total_cost_usd: '-0.5', total_input_tokens: '' },
  ])
  // The header is the same for every question, and has no column that the JSON hasn't.
  expect(await csv('--currency', 'usd', '--model', 'o3', '--since', '2027')).toEqual([
    titles.with(0, 'model').join(','),
  ])
  const { counts, costs, performance } = (await ask('--unknown', '--percentiles', '--json')).json ?? {}
  const members = [counts, costs, performance].flatMap((section) => Object.keys(section as object))
  expect(titles.slice(1).toSorted()).toEqual(members.toSorted())
  expect((await csv(...byTeam, '--limit', '1')).at(-1)).toMatch(/^other,4,/)
  expect((await csv('--bom', '--group-by', 'day'))[0]).toMatch(/^\ufeffday,total,/)
  for (const wrong of [['--bom'], ['--format', 'csv', '--json']]) {
    expect(await ask(...wrong)).toMatchObject({ status: 2, stdout: '' })
  }
})

test('a range that is over has an end, and one that goes on has none', async ({ workspace }) => {
  await fill(workspace)
  const window = async (range: string) => {
    const { json } = await runHere(['stats', '--db', workspace.database, '--json', '--range', range])
    return json
  }
  for (const range of ['yesterday', 'last_month']) expect(await window(range)).toHaveProperty('before')
  for (const range of ['today', 'this_month']) expect(await window(range)).not.toHaveProperty('before')
  const args = ['requests', '--db', workspace.database, '--follow', '--range', 'yesterday']
  const { status, stderr } = await runHere(args)
  expect({ status, stderr }).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(
      "'--follow' needs a window that is still open: found '--range yesterday'",
    ),
  })
})

test('what is unknown is never 0, failures are told from successes, and streams without an end are counted', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  const known = { input_tokens: 1000, output_tokens: 5, cost_sats: 2 }
  const timestamp = new Date().toISOString()
  writeSegment(
    journal,
    lines(
      requestLine('a', { ...known, model: 'known' }),
      requestLine('b', { ...known, model: 'known', output_tokens: null, cost_sats: null }),
      requestLine('c', { model: 'failing', success: false }),
      requestLine('d', { model: 'dark' }),
      requestLine('e', { model: 'dark', streaming: true }),
      requestLine('f', { model: 'dark', streaming: true, timestamp }),
      requestLine('g', { model: 'free', input_tokens: 0, output_tokens: 0, cost_sats: 0 }),
    ),
  )
  await projectOnce({ journal, database })
  const ask = (...args: string[]) => runHere(['stats', '--db', database, ...args])
  const { stdout } = await ask()
  expect(stdout).toMatch(/^streaming 2, of them 1 open and 1 unfinished$/m)
  expect(stdout).toMatch(/^cost {6}2\.00 sats; 5 unpriced \(1 failed\)$/m)
  expect(stdout).toMatch(/^tokens {4}2,000 in \(unknown for 4\), 5 out \(unknown for 5\)$/m)
  const table = stdout.slice(stdout.indexOf('\nmodel'))
  const cells = (name: string) => {
    const [titles = '', ...rows] = table
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    const row = rows.find(([model]) => model === name) ?? []
    return Object.fromEntries([...titles].map((title, at) => [title, row[at]]))
  }
  expect(cells('known')).toMatchObject({
    in: '2,000',
    out: '5',
    sats: '2.00',
    unpriced: '1',
    'unknown out': '1',
  })
  expect(cells('failing')).toMatchObject({ in: '–', out: '–', sats: '–', unpriced: '1 (1 failed)' })
  expect(cells('dark')).toMatchObject({ in: '–', sats: '–', unpriced: '3', open: '1', unfinished: '1' })
  expect(cells('free')).toMatchObject({ in: '0', out: '0', sats: '0.00', unpriced: '0' })
  expect((await ask('--model', 'dark')).stdout).toMatch(
    /^cost {6}– sats; 3 unpriced\ntokens {4}– in \(unknown for 3\), – out/m,
  )
  expect((await ask('--json', '--unknown')).json).toMatchObject({
    counts: { unpriced: 5, unpriced_error: 1, open: 1, unfinished: 1, unknown_input_tokens: 4 },
  })
})

test('a name that no request has is an answer of one line, exit 1', async ({ workspace }) => {
  await fill(workspace)
  for (const command of ['stats', 'requests', 'export']) {
    expect(await runHere([command, '--db', workspace.database, '--model', 'gpt-\u001b[5'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: "error: Model 'gpt-\\x1b[5' not found\n",
    })
    expect(await runHere([command, '--db', workspace.database, '--provider', ''])).toMatchObject({
      status: 1,
      stderr: "error: Provider '' not found\n",
    })
  }
})

test('the page by hour shows when it happened, quiet hours included', async ({ workspace }) => {
  await fill(workspace)
  const { stdout } = await runHere(['stats', '--db', workspace.database, '--group-by', 'hour'])
  expect(stdout).toMatch(/^requests {2}█ {2}▄$/m)
  expect(stdout).toMatch(/^failed {7}█$/m)
  expect(stdout).toMatch(/^2026-11-22 08:00 +2 +0 /m)
  expect(stdout).toMatch(/^2026-11-22 11:00 +1 +1 /m)
})

test('what is asked for is on the page however narrow, and no line is wider', async ({ workspace }) => {
  await fill(workspace)
  const database = openDatabaseReadOnly(workspace.database)
  const answer = stats(database, { groupBy: 'model', percentiles: true, unpriced: true })
  database.close()
  for (let width = 76; width <= 160; width += 4) {
    const page = formatStats(answer, width, { percentiles: true, unpriced: true }).split('\n')
    const titles = page.find((line) => line.startsWith('model'))
    expect(titles).toMatch(/requests.*failed.*sats.*unpriced.*p50.*p95.*p99/)
    for (const line of page.slice(8)) expect(displayWidth(line)).toBeLessThanOrEqual(width)
  }
  const [wide, narrow] = [formatStats(answer, 160), formatStats(answer, 76)]
  expect(wide).toMatch(
    /^model +requests +share +failed +streaming +in +out +sats +unpriced +avg +p50 +p95 +p99$/m,
  )
  expect(wide).toMatch(/^gpt-4o +2 +66\.7 % {2}█████▍ /m)
  expect(narrow).toMatch(/^model .* avg +p95$/m)
  expect(narrow).toMatch(/^cost {6}2\.00 sats; 2 unpriced$/m)
  expect(narrow).toContain('p99 904 ms')
})
