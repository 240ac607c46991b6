import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect } from 'vitest'
import { InputError } from '../../../src/maintenance/errors.js'
import type { PresetName, ReconcileOptions } from '../../../src/maintenance/index.js'
import { reconcile } from '../../../src/maintenance/index.js'
import type { Database } from '../../../src/queries/index.js'
import { insert, test } from '../../queries/support.js'

const COLUMNS = { date: 'day', model: 'model', cost: 'cost' }
const HEADER = 'day,model,cost\n'

/** Compares a bill of these lines with the database. */
async function compare(database: Database, bill: string, options: Partial<ReconcileOptions> = {}) {
  const path = join(dirname(database.name), 'bill.csv')
  writeFileSync(path, bill)
  const columns = options.preset === undefined ? COLUMNS : undefined
  return await reconcile({ database: database.name, bill: path, columns, ...options })
}

const at = (day: number, time = '12:00:00') => `2026-11-${String(day).padStart(2, '0')}T${time}.000Z`

test('each day and model has what was billed, what was logged and the difference, exactly', async ({
  database,
}) => {
  insert(
    database,
    ...Array.from({ length: 30 }, () => ({ timestamp: at(1), cost_usd: 0.1 })),
    { timestamp: at(1), cost_usd: null, success: 0 },
    { timestamp: at(2, '00:00:00'), cost_usd: 0.000000001, model: 'o3' },
    { timestamp: at(2, '23:59:59'), cost_usd: 2.5 },
    { timestamp: at(3), cost_usd: 7 },
  )
  const bill = `${HEADER}2026-11-01,gpt-4o,1.5\n2026-11-01,GPT-4o,1.7\n2026-11-02,gpt-4o,2.5\n2026-11-02,o3,1e-9\n`
  const found = await compare(database, bill)
  expect(found).toMatchObject({
    currency: 'usd',
    by: 'response_model',
    timezone: 'UTC',
    since: '2026-11-01',
    until: '2026-11-02',
    bill_lines: 4,
    bill_lines_outside: 0,
    over: 1,
    billed_only: [],
    logged_only: [],
    total: { billed: '5.700000001', logged: '5.500000001', difference: '0.2', requests: 33, unpriced: 1 },
  })
  expect(found.rows).toEqual([
    {
      day: '2026-11-01',
      model: 'gpt-4o',
      billed: '3.2',
      logged: '3',
      difference: '0.2',
      requests: 31,
      unpriced: 1,
      unpriced_error: 1,
      side: 'both',
      is_over: true,
      is_rounding: false,
    },
    expect.objectContaining({
      day: '2026-11-02',
      model: 'gpt-4o',
      difference: '0',
      side: 'both',
      is_over: false,
    }),
    expect.objectContaining({ day: '2026-11-02', model: 'o3', logged: '0.000000001', is_over: false }),
  ])
  expect(found.days.map(({ day, billed }) => [day, billed])).toEqual([
    ['2026-11-01', '3.2'],
    ['2026-11-02', '2.500000001'],
  ])
  expect(found.models.map(({ model, difference }) => [model, difference])).toEqual([
    ['gpt-4o', '0.2'],
    ['o3', '0'],
  ])
  expect(found.largest).toEqual({
    day: '2026-11-01',
    model: 'gpt-4o',
    difference: '0.2',
    reasons: ['unpriced'],
  })
})

test('an unknown cost is null and never 0, and what only one side has is told', async ({ database }) => {
  insert(
    database,
    { timestamp: at(1), cost_usd: null },
    { timestamp: at(1), model: 'local', cost_usd: 0 },
    { timestamp: at(1), model: 'o3', cost_usd: 4 },
  )
  const found = await compare(
    database,
    `${HEADER}2026-11-01,gpt-4o,1\n2026-11-01,whisper-1,3\n2026-11-01,,0.5\n`,
  )
  expect(
    found.rows.map(({ model, billed, logged, side, is_over }) => [model, billed, logged, side, is_over]),
  ).toEqual([
    [null, '0.5', null, 'billed_only', true],
    ['gpt-4o', '1', null, 'both', true],
    ['local', null, '0', 'logged_only', false],
    ['o3', null, '4', 'logged_only', true],
    ['whisper-1', '3', null, 'billed_only', true],
  ])
  expect(found.billed_only).toEqual(['whisper-1', null])
  expect(found.logged_only).toEqual(['o3', 'local'])
  expect(found.largest).toMatchObject({ model: 'o3', difference: '-4', reasons: ['not_billed'] })
})

test('a row is of the model that answered, or of the one that was asked for', async ({ database }) => {
  insert(
    database,
    { timestamp: at(1), response_model: 'gpt-4o-2024-08-06', cost_usd: 1 },
    { timestamp: at(1), cost_usd: 2 },
  )
  const bill = `${HEADER}2026-11-01,gpt-4o-2024-08-06,1\n`
  const models = async (options: Partial<ReconcileOptions>) =>
    (await compare(database, bill, options)).rows.map(({ model, billed, logged }) => [model, billed, logged])
  expect(await models({})).toEqual([
    ['gpt-4o', null, '2'],
    ['gpt-4o-2024-08-06', '1', '1'],
  ])
  expect(await models({ by: 'model' })).toEqual([
    ['gpt-4o', null, '3'],
    ['gpt-4o-2024-08-06', '1', null],
  ])
  expect(await models({ by: 'model', modelNames: 'undated' })).toEqual([['gpt-4o', '1', '3']])
  const other = await compare(database, bill, { by: 'model' })
  expect(other.largest).toMatchObject({
    model: 'gpt-4o',
    reasons: ['other_name'],
    other_name: 'gpt-4o-2024-08-06',
  })
  const aliases = { 'GPT-4o-2024-08-06': 'gpt-4o' }
  expect(await models({ by: 'model', aliases })).toEqual([['gpt-4o', '1', '3']])
})

test('both sides are cut into days of the time zone', async ({ database }) => {
  insert(
    database,
    { timestamp: at(21, '23:30:00'), cost_usd: 1 },
    { timestamp: at(22, '22:59:59'), cost_usd: 2 },
    { timestamp: at(22, '23:00:00'), cost_usd: 4 },
  )
  const bill = `${HEADER}2026-11-21T23:45:00Z,gpt-4o,1\n2026-11-22T23:30:00+01:00,gpt-4o,2\n2026-11-22T23:00:00Z,gpt-4o,4\n`
  const days = async (timezone: string) =>
    (await compare(database, bill, { timezone })).rows.map(({ day, billed, logged }) => [day, billed, logged])
  expect(await days('UTC')).toEqual([
    ['2026-11-21', '1', '1'],
    ['2026-11-22', '6', '6'],
  ])
  expect(await days('Europe/Berlin')).toEqual([
    ['2026-11-22', '3', '3'],
    ['2026-11-23', '4', '4'],
  ])
  // A bill whose days are those of another zone than was said.
  const shifted = await compare(database, `${HEADER}2026-11-22,gpt-4o,3\n2026-11-23,gpt-4o,4\n`, {
    since: '2026-11-21',
  })
  expect(shifted.largest).toMatchObject({
    day: '2026-11-23',
    reasons: ['not_logged', 'other_day', 'edge_day'],
    other_day: '2026-11-22',
  })
})

test('provider, days, currency and tokens restrict or add what is compared', async ({ database }) => {
  const usage = { input_tokens: 100, output_tokens: 20 }
  insert(
    database,
    { timestamp: at(1), provider: 'openai', cost_sats: 5, ...usage },
    { timestamp: at(1), provider: 'openai', cost_sats: 5, input_tokens: 3 },
    { timestamp: at(1), provider: 'groq', cost_sats: 7 },
  )
  const bill = 'day,model,cost,in,out\n2026-11-01,gpt-4o,10,90,30\n2026-11-02,gpt-4o,9,1,\n'
  const columns = { ...COLUMNS, tokens: ['in', 'out'] }
  const found = await compare(database, bill, {
    columns,
    currency: 'sats',
    provider: 'OpenAI',
    until: '2026-11-01',
  })
  expect(found).toMatchObject({
    provider: 'OpenAI',
    bill_lines: 1,
    bill_lines_outside: 1,
    over: 0,
    largest: null,
  })
  expect(found.total).toMatchObject({
    billed: '10',
    logged: '10',
    billed_tokens: 120,
    logged_tokens: 123,
    unknown_tokens: 1,
  })
  await expect(compare(database, bill, { provider: 'nobody' })).rejects.toMatchObject({
    code: 'PROVIDER_NOT_FOUND',
  })
})

describe('the export of', () => {
  const OPENAI =
    'start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,project_id\n'
  const ANTHROPIC =
    'usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type\n'
  const OPENROUTER =
    'generation_id,created_at,cost_total,cost_web_search,tokens_prompt,tokens_completion,tokens_reasoning,model_permaslug,provider_name\n'
  const ACTIVITY = 'Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens\n'
  test.for<[PresetName, string, string, string[]]>([
    [
      'openai',
      `${OPENAI}1,2,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,,,,,,
1,2,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,0.003835980000000000000000000000,usd,1000,tokens,"gpt-4o-2024-08-06, input",proj_a
1,2,2026-11-01T00:00:00,2026-11-02T00:00:00,1.2,USD,10,tokens,"gpt-4o-2024-08-06, output",proj_b
`,
      'gpt-4o-2024-08-06',
      ['2026-11-01 1.20383598'],
    ],
    [
      'anthropic',
      `${ANTHROPIC}2026-11-01,Claude Sonnet 4.5,Default,key,message,≤ 200k,input_no_cache,0.05,0.05,token
2026-11-01,Claude Sonnet 4.5,Default,key,message,≤ 200k,output,0.20,0.20,token
`,
      'claude-sonnet-4-5-20250929',
      ['2026-11-01 0.25'],
    ],
    [
      'openrouter',
      `${OPENROUTER}gen-1,2026-11-01 23:46:57.713,0.0123,0,10389,137,0,deepseek/deepseek-v3-20251001,DeepSeek
gen-2,2026-11-02 00:00:00.000,0.01,0,1,1,0,deepseek/deepseek-v3-20251001,DeepSeek
`,
      'deepseek/deepseek-v3',
      ['2026-11-01 0.0123', '2026-11-02 0.01'],
    ],
    [
      'openrouter-activity',
      `${ACTIVITY}"2026-11-01 00:00:00","deepseek/deepseek-v3","430.07","0","4115","70965665","3009973","0"\n`,
      'deepseek/deepseek-v3',
      ['2026-11-01 430.07'],
    ],
  ])('%s is read without columns', async ([preset, bill, model, expected], { database }) => {
    insert(database, { timestamp: at(1), response_model: model, cost_usd: 0.1 })
    const found = await compare(database, bill, { preset })
    expect(found.rows.map(({ day, billed }) => `${day} ${billed}`)).toEqual(expected)
    expect(found.rows[0]).toMatchObject({ model, side: 'both' })
    expect(found.total.billed_tokens !== undefined).toBe(preset.startsWith('openrouter'))
  })

  test('openrouter has times of UTC, which are cut into days of any zone', async ({ database }) => {
    const bill = `${OPENROUTER}gen-1,2026-11-01 23:46:57.713,1,0,1,1,0,m,DeepSeek\n`
    const found = await compare(database, bill, { preset: 'openrouter', timezone: 'Europe/Berlin' })
    expect(found.rows).toMatchObject([{ day: '2026-11-02', billed: '1' }])
  })

  test('anthropic has days of UTC, which no other zone has, and dollars', async ({ database }) => {
    const ask = (options: Partial<ReconcileOptions>) =>
      compare(database, ANTHROPIC, { preset: 'anthropic', ...options })
    await expect(ask({ timezone: 'Europe/Berlin' })).rejects.toThrow(
      /^timezone: found Europe\/Berlin, expected UTC/,
    )
    await expect(ask({ currency: 'sats' })).rejects.toThrow(/^currency: found sats, expected usd/)
  })

  test('openai in another currency is refused', async ({ database }) => {
    const bill = `${OPENAI}1,2,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,1,eur,1,tokens,"gpt-4o, input",p\n`
    await expect(compare(database, bill, { preset: 'openai' })).rejects.toThrow(
      /line 2: found the currency 'eur'/,
    )
  })
})

describe('refuses, with the line,', () => {
  test.for<[string, string, number | null, RegExp, Partial<ReconcileOptions>?]>([
    [
      'separators of thousands',
      '2026-11-01,m,1\n2026-11-01,m,"1,234.50"\n',
      3,
      /'1,234.50' as 'cost', .*without separators/,
    ],
    [
      'a currency sign',
      '2026-11-01,m,$1.25\n',
      2,
      /found '\$1.25' as 'cost', expected a number.*without a currency/,
    ],
    ['no cost', '2026-11-01,m,\n', 2, /'cost' is empty/],
    ['a date in another order', '11/12/2026,m,1\n', 2, /--date-format dmy, mdy or ymd says/],
    ['a line of totals', '2026-11-01,m,1\nTotal,,1\n', 3, /found the date 'Total'/],
    ['nothing but a header', '', null, /no line has a cost/],
    [
      'an alias that the bill does not have',
      '2026-11-01,m,1\n',
      null,
      /no line has the model 'x'/,
      { aliases: { x: 'y' } },
    ],
    [
      'days of thousands of years',
      '0202-11-01,m,1\n2026-11-01,m,1\n',
      null,
      /found days from 0202-11-01 to 2026-11-01/,
    ],
    ['no day', '2026-11-01,m,1\n', null, /found no day from 2026-12-01/, { since: '2026-12-01' }],
  ])('%s', async ([, lines, line, message, options], { database }) => {
    const error = await compare(database, `${HEADER}${lines}`, options).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(InputError)
    expect(error).toMatchObject({ code: 'INVALID_VALUE', line, message: expect.stringMatching(message) })
  })

  test('tokens that are no whole number', async ({ database }) => {
    const asked = compare(database, 'day,model,cost,in\n2026-11-01,m,1,1.5\n', {
      columns: { ...COLUMNS, tokens: ['in'] },
    })
    await expect(asked).rejects.toThrow(/line 2: found '1.5' as 'in', expected a whole number/)
  })

  test('a column that is missing, with those that are there and the nearest one', async ({ database }) => {
    await expect(compare(database, 'day,model,costs\n')).rejects.toThrow(
      /'cost' is missing: the header has 'day', 'model', 'costs'; the nearest is 'costs'/,
    )
  })
})

test('refuses options that are wrong', async ({ database }) => {
  const ask = (options: Partial<ReconcileOptions>) => compare(database, `${HEADER}2026-11-01,m,1\n`, options)
  await expect(ask({ timezone: 'Mars/Base' })).rejects.toThrow(
    /^Invalid timezone 'Mars\/Base', expected a name of the IANA/,
  )
  await expect(ask({ tolerance: '1 percent' })).rejects.toThrow(/^tolerance: found '1 percent'/)
  await expect(ask({ since: '1.11.2026' })).rejects.toThrow(/^since: found '1.11.2026', expected a day/)
  await expect(ask({ columns: { date: 'day' } })).rejects.toThrow(/^columns: found no name for model, cost/)
})

test('a difference of at most half a unit of the last digit of each line is the rounding of the bill', async ({
  database,
}) => {
  const costs = [0.014, 0.021, 0.0049]
  insert(database, ...costs.map((cost_usd, index) => ({ timestamp: at(index + 1), cost_usd })))
  // The second day has two lines.
  const lines = ['01,gpt-4o,0.01', '02,gpt-4o,0.01', '02,gpt-4o,0.02', '03,gpt-4o,0.02']
  const found = await compare(database, `${HEADER}${lines.map((line) => `2026-11-${line}\n`).join('')}`)
  expect(found.rows.map(({ is_over, is_rounding }) => [is_over, is_rounding])).toEqual([
    [true, true],
    [true, true],
    [true, false],
  ])
  expect(found).toMatchObject({ over: 3, over_by_rounding: 2, rounding: '0.01' })
})

test('where a model differs by the same share every day, neither the edge nor another day is the reason', async ({
  database,
}) => {
  const days = [1, 2, 3, 4]
  insert(database, ...days.map((day) => ({ timestamp: at(day), cost_usd: 11.7 * day })))
  const bill = days.map((day) => `2026-11-0${day},gpt-4o,${10 * day}\n`).join('')
  const found = await compare(database, HEADER + bill)
  expect(found.largest).toEqual({
    day: '2026-11-04',
    model: 'gpt-4o',
    difference: '-6.8',
    reasons: ['every_day'],
  })
})
