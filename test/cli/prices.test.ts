import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { openJournal, type RequestLog } from '../../src/index.js'
import { priceEffect } from '../../src/maintenance/prices/price-effect.js'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { PROGRAM } from '../support/program.js'
import { requestLog, test, type Workspace } from '../support/workspace.js'

const FROM = '2026-01-01T00:00:00.000Z'
const AT = '2026-06-01T12:00:00.000Z'

function places({ journal, database }: Workspace): string[] {
  return ['--journal', journal, '--db', database]
}

/** Appends requests, and projects the whole journal. */
async function log({ journal, database }: Workspace, ...requests: Partial<RequestLog>[]): Promise<void> {
  const opened = openJournal({ directory: journal })
  for (const request of requests) {
    const usage = { provider: 'openai', input_tokens: 1000, output_tokens: 100 }
    opened.append(requestLog({ timestamp: AT, ...usage, ...request }))
  }
  await opened.close()
  await projectOnce({ journal, database })
}

function write({ directory }: Workspace, name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

async function setPrice(workspace: Workspace, model: string, ...options: string[]): Promise<void> {
  const args = ['prices', 'set', model, '--journal', workspace.journal, ...options]
  expect(await runHere(args)).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^note: it takes effect once .*\n$/),
  })
}

test('a price that is set is in force from its time on, and prices the requests from then on', async ({
  workspace,
}) => {
  await log(workspace, {}, { timestamp: '2025-12-31T23:59:59.999Z' })
  await setPrice(workspace, 'gpt-4o', '--input', '2.5', '--output', '10', '--valid-from', FROM)
  await log(workspace)
  expect(workspace.query('SELECT cost_usd, cost_source FROM requests ORDER BY id')).toEqual([
    { cost_usd: 0.0035, cost_source: 'price_book' },
    { cost_usd: null, cost_source: null },
  ])
  const answer = await runHere(['prices', '--db', workspace.database, '--json'])
  expect(answer.json).toEqual({
    at: expect.any(String),
    prices: [
      {
        provider: null,
        model: 'gpt-4o',
        valid_from: FROM,
        currency: 'usd',
        per_million: { input: '2.5', output: '10' },
        per_request: null,
        service_tier: null,
        min_input_tokens: null,
        source: 'prices set',
        segment: expect.stringMatching(/\.ndjson$/),
        byte_offset: expect.any(Number),
      },
    ],
  })
  const page = await runHere(['prices', '--db', workspace.database])
  expect(page.stdout).toMatch(
    /^gpt-4o +any +usd +2\.5 +10 +2026-01-01 00:00:00 +prices set +\S+\.ndjson:\d+$/m,
  )
  const before = await runHere(['prices', '--db', workspace.database, '--at', '2025-01-01'])
  expect(before.stdout).toBe('no price is in force at 2025-01-01 00:00:00; --all lists others\n')
})

test('a later price replaces one, and a withdrawn one is no longer in force', async ({ workspace }) => {
  await setPrice(workspace, 'a', '--input', '1', '--valid-from', FROM)
  await setPrice(workspace, 'a', '--input', '2', '--valid-from', '2026-02-01T00:00:00Z')
  await setPrice(workspace, 'b', '--input', '1', '--valid-from', FROM, '--provider', 'openai')
  await setPrice(workspace, 'b', '--withdraw', '--provider', 'openai')
  await log(workspace)
  const list = async (...options: string[]) => {
    const { json } = await runHere(['prices', '--db', workspace.database, '--json', ...options])
    return (json['prices'] as { model: string; per_million: object }[]).map(({ model, per_million }) => [
      model,
      per_million,
    ])
  }
  expect(await list()).toEqual([['a', { input: '2' }]])
  expect(await list('--at', '2026-01-15T00:00:00+01:00')).toEqual([
    ['a', { input: '1' }],
    ['b', { input: '1' }],
  ])
  expect(await list('--at', '2026-01-15T00:00:00Z', '--model', 'b', '--provider', 'openai')).toHaveLength(1)
  expect(await list('--at', '2026-01-15T00:00:00Z', '--model', 'b', '--provider', 'azure')).toEqual([])
  expect(await list('--all')).toEqual([
    ['a', { input: '1' }],
    ['a', { input: '2' }],
    ['b', { input: '1' }],
    ['b', null],
  ])
  const { stdout } = await runHere(['prices', '--db', workspace.database, '--all'])
  expect(stdout).toMatch(/^a +any +usd +1 +2026-01-01 00:00:00 +2026-02-01 00:00:00 /m)
  expect(stdout).toMatch(/^b +openai +withdrawn +\d{4}-/m)
})

test('prices set says which unpriced requests get a cost, which stay, that cached tokens cost the input price, and gives no advice about requests that an unprojected price is for', async ({
  workspace,
}) => {
  await log(
    workspace,
    {},
    { timestamp: '2025-12-30T00:00:00.000Z' },
    { timestamp: '2025-12-31T00:00:00.000Z', model: 'alias', response_model: 'gpt-4o' },
    { provider: 'azure' },
    { service_tier: 'flex' },
    { input_tokens: null, output_tokens: null },
  )
  const args = ['prices', 'set', 'gpt-4o', ...places(workspace), '--provider', 'openai', '--input', '2.5']
  const { stdout } = await runHere([...args, '--valid-from', FROM])
  expect(stdout).toBe(
    `gpt-4o (openai) usd: input 2.5 from ${FROM}, appended to ${workspace.journal}
tokens read from a cache cost the full price of input: --cache-read-input sets their own
1 unpriced request gets its cost once the price is projected
2 earlier requests stay unpriced: --valid-from 2025-12-30T00:00:00.000Z reaches back to the first
`,
  )
  const { json } = await runHere([...args, '--valid-from', FROM, '--json'])
  expect(json).toMatchObject({ unpriced: { since: 1, before: 2, first: '2025-12-30T00:00:00.000Z' } })
  await runHere([...args, '--valid-from', '2025-12-31'])
  const again = await runHere([...args, '--valid-from', FROM])
  expect(again.stdout).toContain('\n1 earlier request stays unpriced: --valid-from 2025-12-30T00:00:00.000Z ')
})

test('prices set says when a later price ends it, what a correction changes, and what a withdrawn price leaves', async ({
  workspace,
}) => {
  const later = '2026-06-01T16:53:34.972Z'
  await setPrice(workspace, 'gpt-4o', '--input', '2.5', '--output', '10', '--valid-from', later)
  // Nothing is projected yet.
  const first = await runHere([
    'prices',
    'set',
    'gpt-4o',
    ...places(workspace),
    '--output',
    '1',
    '--valid-from',
    FROM,
    '--json',
  ])
  expect(first.json).toMatchObject({ until: later })
  await setPrice(workspace, 'gpt-4o', '--withdraw', '--valid-from', FROM)
  await log(
    workspace,
    { timestamp: '2026-06-01T16:53:34.971Z' },
    { timestamp: later },
    { timestamp: '2026-06-02T00:00:00.000Z' },
  )
  const set = async (...options: string[]) =>
    (await runHere(['prices', 'set', 'gpt-4o', ...places(workspace), ...options])).stdout.split('\n').slice(1)
  expect(await set('--cache-read-input', '1', '--input', '2', '--valid-from', '2026-06')).toEqual([
    `in force until ${later}, when the next price of gpt-4o begins: usd: input 2.5, output 10; the same with --valid-from ${later} replaces that one`,
    '1 unpriced request gets its cost once the price is projected',
    '',
  ])
  await log(workspace)
  const page = await runHere(['prices', '--all', '--db', workspace.database])
  expect(page.stdout).toMatch(new RegExp(` 2026-06-01 00:00:00 +${later} `))
  expect(await set('--cache-read-input', '1', '--input', '3', '--valid-from', later)).toEqual([
    '2 priced requests get a new cost once the price is projected',
    '',
  ])
  const withdraw = await set('--withdraw', '--valid-from', '2026-06-02')
  expect(withdraw).toEqual([
    "1 request loses its cost once this is projected; the earlier price doesn't take effect again: set it again from the same time on",
    '',
  ])
})

test('a database that is too large to be looked through still tells when a later price ends one', async ({
  workspace: { journal, database },
  workspace,
}) => {
  await setPrice(workspace, 'gpt-4o', '--input', '1', '--valid-from', AT)
  await log(workspace, ...Array.from({ length: 300 }, () => ({})))
  const price = {
    ...{
      type: 'price_set' as const,
      provider: null,
      model: 'gpt-4o',
      valid_from: FROM,
      currency: 'usd' as const,
    },
    ...{
      per_million: { input: '2' },
      per_request: null,
      service_tier: null,
      min_input_tokens: null,
      source: null,
    },
  }
  const effect = await priceEffect(price, { journal, database, deadline: performance.now() - 1 })
  expect(effect).toMatchObject({ next: { valid_from: AT }, requests: null })
})

describe.each([
  [['--input', '-1'], /--input/],
  [['--input', '1,000'], /Expected digits/],
  [['--input', '1e-7'], /Expected digits/],
  [['--input', '1000001'], /per_million.input: found .*from 0 to 1000000/],
  [['--input', '1', '--currency', 'eur'], /Allowed choices are usd, sats/],
  [['--input', '1', '--valid-from', '22.11.2026'], /Expected a date, a time \(UTC/],
  [['--input', '1', '--min-input-tokens', '200k'], /Expected a whole number/],
  [['--input', '1', '--withdraw'], /--withdraw.*cannot be used with/],
  [['--input', '1', '--provider', ''], /'--provider <name>' argument '' is invalid. Expected a name/],
  [['--input', '1', '--service-tier', ''], /'--service-tier <tier>' argument '' is invalid/],
  [[], /no price was given/],
])('prices set m %j', (options, message) => {
  test('is wrong use, and appends nothing', async ({ workspace }) => {
    const { status, stderr } = await runHere([
      'prices',
      'set',
      'm',
      '--journal',
      workspace.journal,
      ...options,
    ])
    expect(stderr.replace(/\s+/g, ' ')).toMatch(message)
    expect(status).toBe(2)
    expect(existsSync(workspace.journal)).toBe(false)
  })
})

test('prices unpriced lists models with tokens and without a cost, most tokens first', async ({
  workspace,
}) => {
  await setPrice(workspace, 'priced', '--input', '1', '--output', '1', '--valid-from', FROM)
  await log(
    workspace,
    { model: 'priced' },
    { model: 'priced', output_tokens: null },
    { model: 'logged', cost_sats: 1 },
    { model: 'few' },
    { model: 'many', input_tokens: 9000, response_model: 'many-2', service_tier: 'flex' },
    { model: 'few', provider: null, output_tokens: null },
    { model: 'few', input_tokens: null, output_tokens: null, success: false },
    { model: 'priced', timestamp: '2025-12-31T00:00:00.000Z' },
    { model: 'few', input_tokens: null, output_tokens: null, streaming: true },
  )
  const { json } = await runHere(['prices', 'unpriced', '--db', workspace.database, '--json'])
  const model = {
    response_model: null,
    service_tier: null,
    requests: 1,
    not_in_force: 0,
    first: AT,
    last: AT,
  }
  expect(json).toEqual({
    unpriced: [
      {
        ...model,
        provider: 'openai',
        model: 'many',
        response_model: 'many-2',
        service_tier: 'flex',
        input_tokens: 9000,
        output_tokens: 100,
      },
      { ...model, provider: 'openai', model: 'few', input_tokens: 1000, output_tokens: 100 },
      {
        ...{ ...model, provider: 'openai', model: 'priced', input_tokens: 1000, output_tokens: 100 },
        ...{ not_in_force: 1, first: '2025-12-31T00:00:00.000Z', last: '2025-12-31T00:00:00.000Z' },
      },
      { ...model, provider: null, model: 'few', input_tokens: 1000, output_tokens: 0 },
    ],
    without_usage: 3,
    reasons: expect.any(Array),
    currencies: ['sats', 'usd'],
  })
  const page = await runHere(['prices', 'unpriced', '--db', workspace.database, '--model', 'few'])
  expect(page.stdout).toMatch(/^openai +few +none +1 +1,000 +100 /m)
  const whole = await runHere(['prices', 'unpriced', '--db', workspace.database])
  expect(whole.stdout).toMatch(
    /\n\nin sats: 8 unpriced \(1 failed\)\nin usd: 8 unpriced \(1 failed\)\n\nrequests {2}failed {2}reason/,
  )
  expect(whole.stdout).toMatch(/^ +1 +1 {2}failed, without tokens +any cost +nothing: /m)
  // Every request that stats count as unpriced has a reason.
  const stats = await runHere(['stats', '--db', workspace.database, '--unknown', '--json'])
  const { counts } = stats.json as { counts: Record<string, number> }
  const reasons = json['reasons'] as { reason: string; currency: string; requests: number }[]
  const sumOf = (currency: string) =>
    reasons.filter((r) => [currency, 'both'].includes(r.currency)).reduce((sum, r) => sum + r.requests, 0)
  expect([sumOf('sats'), sumOf('usd')]).toEqual([counts['unpriced'], counts['unpriced_usd']])
  expect(Object.fromEntries(reasons.map((r) => [`${r.reason} ${r.currency}`, r.requests]))).toEqual({
    ...{ 'no_price both': 3, 'unknown_tokens both': 2, 'price_not_in_force both': 1 },
    ...{ 'failed_without_usage both': 1, 'no_rate sats': 1, 'no_rate usd': 1 },
  })
})

describe('prices import --from csv', () => {
  const CSV = `provider,model,currency,valid_from,input,output
openai,gpt-4o,usd,${FROM},2.5,10
,llama,sats,,120,480
`

  test('shows the difference and writes nothing; with --yes it appends it', async ({ workspace }) => {
    await setPrice(workspace, 'gpt-4o', '--provider', 'openai', '--input', '5', '--valid-from', FROM)
    await log(workspace, {})
    const file = write(workspace, 'our.csv', CSV)
    const lines = () =>
      workspace
        .segments()
        .map((name) => workspace.readSegment(name).toString())
        .join('')
    const before = lines()
    const shown = await runHere(['prices', 'import', '--from', 'csv', file, ...places(workspace)])
    expect(shown.stdout).toContain(
      `  gpt-4o (openai) from ${FROM} usd: input 5 since ${FROM} (prices set) → usd: input 2.5, output 10\n`,
    )
    expect(shown.stdout).toMatch(/^ {2}llama \(any provider\) from \S+ sats: input 120, output 480$/m)
    expect(shown.stdout).toMatch(
      /csv our\.csv: 1 new, 1 changed, 0 unchanged, .*\nNothing was written: --yes appends 2 prices\n$/,
    )
    expect(lines()).toBe(before)
    const { status, json } = await runHere([
      'prices',
      'import',
      'csv',
      file,
      ...places(workspace),
      '--yes',
      '--json',
    ])
    expect({ status, ...json }).toMatchObject({
      status: 0,
      appended: 2,
      changed: [{ line: 2 }],
      new: [{ line: 3 }],
    })
    await log(workspace)
    expect(workspace.query('SELECT cost_usd FROM requests')).toEqual([{ cost_usd: 0.0035 }])
    const again = await runHere(['prices', 'import', 'csv', file, ...places(workspace), '--yes', '--json'])
    expect(again.json).toMatchObject({ appended: 0, unchanged: 2, new: [], changed: [] })
  })

  test('a file with one wrong line is refused whole, before anything is appended', async ({ workspace }) => {
    const file = write(workspace, 'our.csv', `${CSV}openai,o3,usd,2026-11-22T00:00:00,1,1\n`)
    const { status, stderr } = await runHere(['prices', 'import', 'csv', file, ...places(workspace), '--yes'])
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^error: .*our\.csv, line 4: valid_from: found .*an offset/),
    })
    expect(existsSync(workspace.journal)).toBe(false)
  })

  test('without a database every price is new, and that is said', async ({ workspace }) => {
    const file = write(workspace, 'our.csv', CSV)
    const { stderr, json } = await runHere(['prices', 'import', 'csv', file, ...places(workspace), '--json'])
    expect(stderr).toContain("doesn't exist: every price counts as new")
    expect(json).toMatchObject({ has_database: false, appended: 0, new: [{}, {}] })
  })
})

describe('prices import litellm', () => {
  const price = (cost: number) => ({ litellm_provider: 'openai', mode: 'chat', input_cost_per_token: cost })
  const list = (models: object) => JSON.stringify(models)

  test('proposes a model for one without a price, and takes it once it is named, also later', async ({
    workspace,
  }) => {
    await log(workspace, { model: 'gpt-4o-2024-11-20' }, { model: 'gpt-4o-2024-11-20', provider: null })
    const file = write(workspace, 'prices.json', list({ 'gpt-4o': price(2.5e-6), unused: price(1e-6) }))
    const args = ['prices', 'import', 'litellm', file, ...places(workspace), '--used', '--valid-from', FROM]
    const shown = await runHere(args)
    expect(shown.stdout).toContain(
      "  --alias 'gpt-4o-2024-11-20=gpt-4o'  openai, 1 request: begins with 'gpt-4o'\n",
    )
    expect(shown.stdout).toMatch(/Nothing to append\n$/)
    const taken = await runHere([...args, '--alias', 'gpt-4o-2024-11-20=gpt-4o', '--yes', '--json'])
    expect(taken.json).toMatchObject({
      appended: 1,
      proposals: [],
      new: [
        { new: { model: 'gpt-4o-2024-11-20', source: 'litellm as gpt-4o', per_million: { input: '2.5' } } },
      ],
    })
    await log(workspace)
    write(workspace, 'prices.json', list({ 'gpt-4o': price(2e-6) }))
    const later = await runHere([
      'prices',
      'import',
      'litellm',
      file,
      ...places(workspace),
      '--used',
      '--json',
    ])
    expect(later.json).toMatchObject({
      gone: [],
      new: [],
      changed: [{ old: { per_million: { input: '2.5' } }, new: { per_million: { input: '2' } } }],
    })
  })

  test('takes one provider under the name that the log has', async ({ workspace }) => {
    const models = { 'gpt-4o': price(1e-6), claude: { ...price(3e-6), litellm_provider: 'anthropic' } }
    const file = write(workspace, 'prices.json', list(models))
    const args = ['prices', 'import', 'litellm', file, ...places(workspace), '--json']
    const { json } = await runHere([...args, '--provider', 'openai=east'])
    expect(json['new']).toMatchObject([{ new: { provider: 'east', model: 'gpt-4o' } }])
    const unknown = await runHere([...args, '--provider', 'opneai'])
    expect(unknown).toMatchObject({
      status: 1,
      stderr: "error: litellm: the list has no provider 'opneai'\n",
    })
  })
})

test('prices import --from genai-prices takes the list of the installed package', async ({ workspace }) => {
  const args = ['prices', 'import', '--from', 'genai-prices', '--provider', 'anthropic', ...places(workspace)]
  const { status, json } = await runHere([...args, '--json'])
  expect(status).toBe(0)
  expect(json['source']).toMatch(/^genai-prices /)
  expect((json['new'] as unknown[]).length).toBeGreaterThan(20)
})

test('without the package of genai-prices one sentence says so, and how to install it', ({ workspace }) => {
  // A loader that doesn't find it stands for an installation without it.
  const hooks = `export async function resolve(specifier, context, next) {
    if (!specifier.startsWith('@pydantic/')) return await next(specifier, context)
    throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
  }`
  const url = `data:text/javascript,${encodeURIComponent(hooks)}`
  const register = `import { register } from 'node:module'; register(${JSON.stringify(url)})`
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...['--import', `data:text/javascript,${encodeURIComponent(register)}`],
      ...[PROGRAM, 'prices', 'import', '--from', 'genai-prices', ...places(workspace)],
    ],
    { encoding: 'utf8' },
  )
  expect({ status, stdout, stderr }).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^error: @pydantic\/genai-prices: it isn't installed: `npm install @pydantic\/genai-prices` [^\n]*\n$/,
    ),
  })
})

test.each([
  [['prices', 'import'], /expected --from genai-prices, --from litellm FILE/],
  [['prices', 'import', 'csv'], /expected a file after 'csv'/],
  [['prices', 'import', 'x.csv', '--from', 'genai-prices'], /genai-prices is a package: expected no file/],
  [['prices', 'import', 'x.csv'], /expected --from genai-prices, --from litellm FILE or --from csv FILE/],
  [['prices', 'import', 'csv', 'x.csv', 'y.csv'], /found 'y\.csv' after the file, expected nothing/],
  [['prices', 'import', 'excel', 'x.xls'], /expected --from genai-prices, --from litellm FILE/],
  [['prices', 'lsit'], /unknown command 'lsit', expected list, set, import, unpriced; the nearest is 'list'/],
  [['prices', 'gpt-4o'], /unknown command 'gpt-4o', .*; --model lists the prices of one model/],
  [['prices', 'st', 'm', '--input', '1'], /unknown command 'st', .*; the nearest is 'set'/],
  [['prices', '--modle', 'm'], /unknown option '--modle'\n\(Did you mean --model\?\)/],
  [['reprice'], /--dry-run shows what would change/],
])('%j is wrong use', async (args, message) => {
  expect(await runHere(args)).toMatchObject({ status: 2, stderr: expect.stringMatching(message) })
})

test.each([
  [['prices', 'import', '--from', 'csv'], 'model,currency,input\n', /expected a line for each price/],
  [['rates', 'import'], 'observed_at,usd_per_btc\n', /expected a line for each rate/],
])('%j of a file with a header alone says so, exit 1', async (args, text, message) => {
  const { withWorkspace } = await import('../support/workspace.js')
  await withWorkspace(async (workspace) => {
    const file = write(workspace, 'empty.csv', text)
    const { status, stdout, stderr } = await runHere([...args, file, ...places(workspace)])
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(message)
  })
})

test('rates set and rates import give costs in the other currency', async ({ workspace }) => {
  await setPrice(workspace, 'gpt-4o', '--input', '2.5', '--output', '10', '--valid-from', FROM)
  const { journal } = workspace
  const set = await runHere(['rates', 'set', '50000', '--at', AT, '--journal', journal, '--json'])
  expect(set.json).toMatchObject({ appended: 1, rate: { usd_per_btc: '50000', observed_at: AT } })
  await log(workspace, {})
  const costs = () => workspace.query('SELECT cost_sats, cost_usd FROM requests')
  expect(costs()).toEqual([{ cost_sats: 7, cost_usd: 0.0035 }])
  const file = write(
    workspace,
    'rates.csv',
    `observed_at,usd_per_btc\n${AT},70000.00\n2026-06-02T00:00:00+02:00,50000\n`,
  )
  const shown = await runHere(['rates', 'import', file, ...places(workspace)])
  expect(shown.stdout).toBe(
    `new:\n  2026-06-01T22:00:00.000Z  50000\n\nchanged:\n  ${AT}  50000 → 70000.00\n\n` +
      'csv rates.csv: 1 new, 1 changed, 0 unchanged\nNothing was written: --yes appends 2 rates\n',
  )
  expect(
    (await runHere(['rates', 'import', file, ...places(workspace), '--yes', '--json'])).json,
  ).toMatchObject({
    appended: 2,
  })
  await log(workspace)
  expect(costs()).toEqual([{ cost_sats: 5, cost_usd: 0.0035 }])
  const again = await runHere(['rates', 'import', file, ...places(workspace), '--json'])
  expect(again.json).toMatchObject({ new: [], changed: [], unchanged: 2 })
  const list = await runHere(['rates', 'list', '--db', workspace.database])
  expect(list.stdout.replace(/ +\S+\.ndjson:\d+$/gm, '')).toMatch(
    /^time.*\n2026-06-01 22:00:00 +50000 +.*\n2026-06-01 12:00:00 +70000\.00 +.*\n2026-06-01 12:00:00 +50000 +rates set\n$/,
  )
})

test.each([
  ['a rate of zero', `${AT},0`, /line 3: usd_per_btc: found .*over 0/],
  ['a rate with separators', `${AT},"67,000"`, /line 3: usd_per_btc: found .*67,000/],
  ['a time without an offset', '2026-06-01 12:00:00,67000', /line 3: observed_at: found/],
  ['an instant twice', '2026-01-01T01:00:00+01:00,67000', /line 3: .*is on line 2 already/],
])('a file of rates with %s is refused by its line', async (_, line, message) => {
  const { withWorkspace } = await import('../support/workspace.js')
  await withWorkspace(async (workspace) => {
    const file = write(workspace, 'rates.csv', `observed_at,usd_per_btc\n${FROM},1\n${line}\n`)
    const { status, stderr } = await runHere(['rates', 'import', file, ...places(workspace), '--yes'])
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(message) })
    expect(existsSync(workspace.journal)).toBe(false)
  })
})

test('reprice --dry-run says what the log would cost, by day and model, and writes nothing', async ({
  workspace,
}) => {
  await setPrice(workspace, 'gpt-4o', '--input', '2.5', '--output', '10', '--valid-from', FROM)
  await log(
    workspace,
    {},
    { timestamp: '2026-06-02T00:00:00Z', model: 'other' },
    { timestamp: '2026-06-02T00:00:00Z', cost_usd: 1 },
  )
  const rows = () => workspace.query('SELECT id, cost_usd, cost_sats, cost_source FROM requests ORDER BY id')
  const before = rows()
  const file = write(workspace, 'next.csv', 'model,currency,input,output\ngpt-4o,usd,1,1\nother,usd,0.3,0\n')
  const args = ['reprice', '--dry-run', '--db', workspace.database]
  const group = { requests: 1, changed: 1 }
  const costs = (usd: number | null) => {
    const unpriced = usd === null ? 1 : 0
    return { sats: null, usd, unpriced, unpriced_sats: 1, unpriced_usd: unpriced }
  }
  expect((await runHere([...args, '--prices', file, '--json'])).json).toEqual({
    dry_run: true,
    timezone: 'UTC',
    groups: [
      {
        ...group,
        day: '2026-06-01',
        model: 'gpt-4o',
        old: costs(0.0035),
        new: costs(0.0011),
        difference: { sats: null, usd: -0.0024 },
      },
      // What was logged stays.
      {
        requests: 1,
        changed: 0,
        day: '2026-06-02',
        model: 'gpt-4o',
        old: costs(1),
        new: costs(1),
        difference: { sats: null, usd: 0 },
      },
      {
        ...group,
        day: '2026-06-02',
        model: 'other',
        old: costs(null),
        new: costs(0.0003),
        difference: { sats: null, usd: null },
      },
    ],
    total: {
      requests: 3,
      changed: 2,
      old: { sats: null, usd: 1.0035, unpriced: 1, unpriced_sats: 3, unpriced_usd: 1 },
      new: { sats: null, usd: 1.0014, unpriced: 0, unpriced_sats: 3, unpriced_usd: 0 },
      difference: { sats: null, usd: -0.0021 },
    },
  })
  expect((await runHere([...args, '--json'])).json['total']).toMatchObject({ changed: 0 })
  const page = await runHere([...args, '--prices', file, '--model', 'gpt-4o'])
  expect(page.stdout).toMatch(/^2026-06-01 +gpt-4o +1 +1 +0\.0035 +0\.0011 +-0\.0024 +0$/m)
  expect(rows()).toEqual(before)
})

test('the days of reprice are those of --timezone, and what is unpriced those of each currency', async ({
  workspace,
}) => {
  await log(
    workspace,
    { timestamp: '2026-06-30T21:59:59.999Z', cost_usd: 1 },
    { timestamp: '2026-06-30T22:00:00Z', cost_usd: 2 },
    { timestamp: '2026-07-01T12:00:00Z', cost_sats: 30 },
    { timestamp: '2026-07-01T12:00:00Z' },
  )
  const args = ['reprice', '--dry-run', '--db', workspace.database, '--timezone', 'Europe/Berlin']
  const july = [...args, '--since', '2026-07-01']
  expect((await runHere([...july, '--json'])).json).toMatchObject({
    timezone: 'Europe/Berlin',
    groups: [{ day: '2026-07-01', requests: 3, old: { unpriced: 1, unpriced_sats: 2, unpriced_usd: 2 } }],
  })
  const { stdout } = await runHere([...args, '--currency', 'usd'])
  expect(stdout).toMatch(/^day \(Europe\/Berlin\) +model .* unpriced$/m)
  expect(stdout).toMatch(/^2026-06-30 +gpt-4o +1 +0 +1\.0000 +1\.0000 +0\.0000 +0$/m)
  expect(stdout).toMatch(/^2026-07-01 +gpt-4o +3 +0 +2\.0000 +2\.0000 +0\.0000 +2$/m)
})

test('prices set refuses a model without a name', async ({ workspace }) => {
  const args = ['prices', 'set', '', '--input', '1', '--journal', workspace.journal]
  const message = /'' is invalid for argument 'model'. Expected a name that is not empty/
  const { status, stderr } = await runHere(args)
  expect({ status, stderr: stderr.replace(/\s+/g, ' ') }).toEqual({
    status: 2,
    stderr: expect.stringMatching(message),
  })
  expect(existsSync(workspace.journal)).toBe(false)
})
