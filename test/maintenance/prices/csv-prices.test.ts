import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { InputError } from '../../../src/maintenance/errors.js'
import { readCsvPrices } from '../../../src/maintenance/prices/csv-prices.js'
import { test, type Workspace } from '../../support/workspace.js'

async function read({ directory }: Workspace, content: string) {
  const path = join(directory, 'our prices.csv')
  writeFileSync(path, content)
  return await readCsvPrices(path)
}

test('a line is a price with the terms of its columns', async ({ workspace }) => {
  const { source, prices } = await read(
    workspace,
    `provider,model,valid_from,currency,input,cache_read_input,output,per_request,service_tier,min_input_tokens
openai,gpt-4o,2026-11-22T01:00:00+01:00,usd,2.5,1.25,10,,flex,
,llama,,sats,,,,0.000000000001,,200001
`,
  )
  expect(source).toBe('csv our prices.csv')
  expect(prices).toEqual([
    {
      line: 2,
      isDated: true,
      event: {
        type: 'price_set',
        provider: 'openai',
        model: 'gpt-4o',
        valid_from: '2026-11-22T00:00:00.000Z',
        currency: 'usd',
        per_million: { input: '2.5', cache_read_input: '1.25', output: '10' },
        per_request: null,
        service_tier: 'flex',
        min_input_tokens: null,
        source,
      },
    },
    {
      line: 3,
      isDated: false,
      event: expect.objectContaining({
        provider: null,
        per_million: null,
        per_request: '0.000000000001',
        min_input_tokens: 200001,
      }),
    },
  ])
})

describe.each([
  ['a negative price', 'm,usd,-1,,', /input: found .*-1.* expected a decimal text/],
  ['an absurd price', 'm,usd,1000001,,', /expected a decimal text from 0 to 1000000/],
  ['a price with an exponent', 'm,usd,1e-7,,', /no sign, exponent or separator/],
  ['a price with thousands separators', 'm,usd,"1,000",,', /found .*1,000.*expected a decimal text/],
  ['a price with a decimal comma', 'm,usd,"0,15",,', /found .*0,15/],
  ['a price with a currency sign', 'm,usd,$1,,', /found .*\$1/],
  ['too many decimals', 'm,usd,0.1234567,,', /at most 6 decimals/],
  ['a currency that is not known', 'm,eur,1,,', /currency: found .*eur.*'usd' or 'sats'/],
  ['a currency in another case', 'm,USD,1,,', /currency: found/],
  ['no currency', 'm,,1,,', /currency: found nothing/],
  ['no model', ',usd,1,,', /model: found nothing/],
  ['a date without an offset', 'm,usd,1,2026-11-22T00:00:00,', /valid_from: found .*an offset/],
  ['a date in another order', 'm,usd,1,22/11/2026,', /valid_from: found .*22\/11\/2026/],
  ['a day that does not exist', 'm,usd,1,2026-02-30T00:00:00Z,', /valid_from/],
  ['a number of tokens with separators', 'm,usd,1,,200_001', /min_input_tokens: found '200_001'/],
  ['the same price twice', 'good,usd,1,,', /the same price is on line 2 already/],
])('a line with %s', (_, line, message) => {
  test('is refused by its number, with what was found and what was expected', async ({ workspace }) => {
    const content = `model,currency,input,valid_from,min_input_tokens\ngood,usd,1,,\n${line}\n`
    const error = await read(workspace, content).catch((reason) => reason)
    expect(error).toBeInstanceOf(InputError)
    expect(error).toMatchObject({ code: 'INVALID_VALUE', line: 3, message: expect.stringMatching(message) })
  })
})
