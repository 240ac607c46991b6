import { expect } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { runHere } from '../../support/command.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

type Request = Parameters<typeof requestLine>[1]

async function page(workspace: Workspace, requests: Request[], args: string[], columns = '120') {
  const { journal, database } = workspace
  writeSegment(journal, lines(...requests.map((request, index) => requestLine(`c${index}`, request))))
  await projectOnce({ journal, database })
  return async (...more: string[]) => {
    const { status, stdout, stderr } = await runHere([...args, '--db', database, ...more], {
      COLUMNS: columns,
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return stdout
  }
}

const BOTH: Request[] = [
  { model: 'a', cost_sats: 12.5, input_tokens: 10, output_tokens: 2 },
  { model: 'b', cost_usd: 0.05, input_tokens: 10, output_tokens: 2 },
  { model: 'b', cost_usd: 0.0004 },
  { model: 'c', success: false },
]
const DOLLARS: Request[] = BOTH.slice(1)

test('stats of a log in dollars are in dollars without being asked', async ({ workspace }) => {
  const ask = await page(workspace, DOLLARS, ['stats'])
  const stdout = await ask()
  expect(stdout).toMatch(/^cost {6}0\.050400 usd; 1 unpriced \(1 failed\)$/m)
  expect(stdout).not.toContain('sats')
  expect(stdout).toMatch(/^model .* out +usd +unpriced +avg/m)
  expect(stdout).toMatch(/^b .* 0\.050400 +0 +100 ms/m)
  expect(stdout).toMatch(/^c .* – +1 \(1 failed\) +100 ms/m)
})

test('stats of a log in both currencies have a sum for each, satoshis first', async ({ workspace }) => {
  const ask = await page(workspace, BOTH, ['stats'], '140')
  const stdout = await ask()
  expect(stdout).toContain(`
cost      12.50 sats; 3 unpriced (1 failed)
cost      0.050400 usd; 2 unpriced (1 failed)
`)
  expect(stdout).toMatch(/^model .* out +sats +usd +unpriced sats +unpriced usd +avg/m)
  expect(stdout).toMatch(/^a .* 12\.50 +– +0 +1 +100 ms/m)
  expect(stdout).toMatch(/^b .* – +0\.050400 +2 +0 +100 ms/m)
  expect(await ask('--group-by', 'hour')).toMatch(/^sats +█\nusd +█$/m)
  const dollars = await ask('--currency', 'usd')
  expect(dollars).not.toContain('sats')
  expect(dollars).toMatch(/^model .* out +usd +unpriced +avg/m)
  const narrow = await runHere(['stats', '--db', workspace.database], { COLUMNS: '60' })
  expect(narrow.stdout).toMatch(/^model +requests +failed .*sats +usd/m)
})

test('requests are listed with the costs of the currencies that there are, or with those asked for', async ({
  workspace,
}) => {
  const ask = await page(workspace, BOTH, ['requests'])
  const all = await ask()
  expect(all).toMatch(/^time .* out +sats +usd +latency/m)
  expect(all).toMatch(/ a .* 12\.50 +– +100 ms/m)
  expect(all).toMatch(/ b .* – +0\.000400 +100 ms/m)
  const dear = await ask('--sort', 'cost_usd', '--min-cost', '0.0004')
  expect(dear).toMatch(/^time .* out +usd +latency/m)
  expect(dear.split('\n').filter((line) => line.includes(' b '))).toHaveLength(2)
  expect(dear.split('\n')[1]).toContain('0.050000')
  expect(await ask('--min-cost', '1')).toMatch(/^page 1 of 1, 1 request$/m)
  expect(await ask('--currency', 'usd', '--min-cost', '0.05')).toMatch(/^page 1 of 1, 1 request$/m)
})

test('the JSON of stats and requests is the body of the API with currency=', async ({ workspace }) => {
  const { database } = workspace
  await (await page(workspace, BOTH, ['stats']))()
  const json = async (...args: string[]) => (await runHere([...args, '--db', database, '--json'])).json
  expect(await json('stats', '--currency', 'usd')).toMatchObject({
    currency: 'usd',
    currencies: ['sats', 'usd'],
    counts: { total: 4, unpriced_usd: 2, unpriced_usd_error: 1 },
    costs: { total_cost_usd: 0.0504, total_cost_sats: 12.5 },
  })
  expect(await json('stats')).not.toHaveProperty('currency')
  expect(await json('requests', '--currency', 'usd')).toMatchObject({ currency: 'usd', total: 4 })
})

test('show has a line for each currency that is known, and export all of them', async ({ workspace }) => {
  const { journal, database } = workspace
  const both = { model: 'd', cost_sats: 40, cost_usd: 0.025, provider_cost_usd: 0.02 }
  await (await page(workspace, [...DOLLARS, both], ['stats']))()
  const show = async (id: string) =>
    (await runHere(['show', id, '--journal', journal, '--db', database])).stdout
  expect(await show('1')).toMatch(/^cost +0\.050000 usd$/m)
  expect(await show('1')).not.toMatch(/^cost .*sats/m)
  expect(await show('3')).toMatch(/^cost +–$/m)
  expect(await show('4')).toMatch(/^cost +40\.00 sats\ncost +0\.025000 usd; by the provider 0\.020000 usd$/m)
  const { stdout } = await runHere(['export', '--db', database, '--min-cost', '0.025', '--currency', 'usd'])
  const exported = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(exported).toMatchObject([{ cost_usd: 0.05 }, { cost_sats: 40, cost_usd: 0.025 }])
})

test('what other prices would cost is told in the currency asked for, and fits a page', async ({
  workspace,
}) => {
  const models = ['a-model-with-a-rather-long-name', 'another-model-with-a-long-name']
  const requests = models.map((model) => ({ model, cost_sats: 12_345.5, cost_usd: 1234.56 }))
  const ask = await page(workspace, requests, ['reprice', '--dry-run'], '80')
  const both = await ask()
  expect(Math.max(...both.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(both).toMatch(/^day \(UTC\) +model +.*new sats +± sats +.*new usd +± usd +unpriced sats$/m)
  const dollars = await ask('--currency', 'usd')
  expect(dollars).not.toContain('sats')
  expect(dollars).toMatch(/^total +2 +2,469\.12 +2,469\.12 +0\.00 +0$/m)
})

test('a currency that is none is a wrong use', async ({ workspace }) => {
  const { status, stderr } = await runHere(['stats', '--db', workspace.database, '--currency', 'eur'])
  expect(status).toBe(2)
  expect(stderr).toMatch(/'--currency <currency>' argument 'eur' is invalid. Allowed choices are sats, usd/)
})

test('stats tell retries, cached and reasoning tokens where there are some', async ({ workspace }) => {
  const parts = { input_tokens: 1000, cache_read_input_tokens: 800, cache_creation_input_tokens: 50 }
  const requests = [
    { model: 'a', ...parts, output_tokens: 90, reasoning_output_tokens: 60 },
    { model: 'a', attempt: 1, ...parts, output_tokens: 5 },
    { model: 'b', attempt: 0 },
  ]
  const ask = await page(workspace, requests, ['stats'], '250')
  const stdout = await ask()
  expect(stdout).toMatch(/^requests {2}3, 1 of them a retry$/m)
  expect(stdout).toMatch(
    /^tokens .*\n {10}of them 1,600 read from a cache, 100 written to a cache, 60 of reasoning$/m,
  )
  expect(stdout).toMatch(/^model .* retries +cache read +cache written +reasoning$/m)
  expect(stdout).toMatch(/^a .* 1 +1,600 +100 +60$/m)
  const none = await ask('--model', 'b', '--group-by', 'provider')
  expect(none).not.toMatch(/retr|cache|reasoning/)
})
