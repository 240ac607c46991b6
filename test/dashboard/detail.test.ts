import { describe, expect } from 'vitest'
import { hasBrowser } from './support/browser.js'
import { recent, test } from './support/dashboard.js'

const price = (perMillion: Record<string, string>) => ({
  ...{ type: 'price_set' as const, model: 'gpt-4o', provider: null, valid_from: '2025-01-01T00:00:00Z' },
  ...{ currency: 'usd' as const, per_million: perMillion, source: 'the bill' },
})

describe.skipIf(!hasBrowser)('the detail of a request', () => {
  test('has every column, the labels, the place and the journal’s own line', async ({
    shared: dashboard,
  }) => {
    const { page, rows, files } = dashboard
    dashboard.append(
      recent({ model: 'before' }),
      recent({
        model: 'alpha',
        provider: 'east',
        policy: 'cheapest',
        input_tokens: 812,
        cost_sats: 13.1,
        provider_cost_sats: null,
        labels: { team: 'blue' },
      }),
    )
    await dashboard.projected(2)
    await dashboard.open()
    await rows.first().click()
    const id = Number(await rows.first().getAttribute('data-id'))
    const detail = page.getByRole('dialog', { name: `Request ${id}` })
    await detail.locator('.line').waitFor()
    const facts = (await detail.locator('.facts').allInnerTexts()).join('\n')
    for (const fact of ['alpha', 'east', 'cheapest', '812', 'team\nblue', '–']) {
      expect(facts).toContain(fact)
    }
    expect(await detail.locator('.cost-totals').innerText()).toMatch(/^13\.1\s?sats/)
    const [segment = ''] = files.segments()
    const lines = files.readSegment(segment).toString().trimEnd().split('\n')
    const second = lines.pop() ?? ''
    expect(facts).toContain(segment)
    expect(facts).toContain(String(Buffer.byteLength(`${lines.join('\n')}\n`)))
    const shown = await detail.locator('.line').innerText()
    expect(JSON.parse(shown)).toEqual(JSON.parse(second))
    expect(shown).toContain('\n  "model": "alpha",\n')
  })

  test('says how the cost came about: tokens × price, the price, the rate', async ({ dashboard }) => {
    const { page } = dashboard
    dashboard.append(
      price({ input: '2', cache_read_input: '0.5', output: '10' }),
      {
        type: 'exchange_rate_observed',
        observed_at: new Date(Date.now() - 3600_000).toISOString(),
        usd_per_btc: '100000.5',
        source: 'the exchange',
      },
      recent({ input_tokens: 1000, cache_read_input_tokens: 400, output_tokens: 100 }),
    )
    await dashboard.projected(1)
    await dashboard.open('?request=1')
    const cost = page.locator('#detail .cost')
    await cost.locator('.products').waitFor()
    const texts = async (cells: string) =>
      (await cost.locator(cells).allInnerTexts()).map((text) => text.trim())
    expect(await texts('.cost-totals > span')).toEqual(['0.0024usd', '2.399988sats'])
    expect(await texts('.products tbody tr')).toEqual([
      'Input\t600 ×\t2\t= 0.0012',
      'Cache read\t400 ×\t0.5\t= 0.0002',
      'Output\t100 ×\t10\t= 0.001',
    ])
    const facts = await cost.locator('.facts').innerText()
    for (const fact of [
      'gpt-4o, any provider',
      'Jan 1, 2025 00:00:00 UTC',
      'the bill',
      '100,000.5 usd for a bitcoin',
    ]) {
      expect(facts).toContain(fact)
    }
    expect(await page.locator('#detail .facts').first().innerText()).toContain(
      '1,000, of which 400 read from a cache',
    )
  })

  test('says who told a cost, and why another one is unknown, with the command that helps', async ({
    dashboard,
  }) => {
    const { page } = dashboard
    dashboard.append(recent({ input_tokens: 5, output_tokens: 5 }), recent({ cost_sats: 13.1 }))
    await dashboard.projected(2)
    const cost = page.locator('#detail .cost')
    await dashboard.open('?request=1')
    await cost.getByText('Unknown. No price is set for gpt-4o.').waitFor()
    expect(await cost.locator('.command code').innerText()).toMatch(/^request-journal prices set gpt-4o /)
    expect(await cost.locator('.cost-totals').innerText()).not.toContain('0')
    await dashboard.goTo('?request=2')
    await cost.getByText('Logged by the gateway').waitFor()
    expect(await cost.locator('.cost-totals').innerText()).toBe('13.1sats')
    dashboard.append(recent({ cost_usd: 0.5 }))
    await dashboard.projected(3)
    await dashboard.goTo('?request=1')
    await cost.getByText('No price is set').waitFor()
    await dashboard.goTo('?request=2')
    await cost.getByText('Unknown in usd. No exchange rate was observed').waitFor()
  })

  test('has a URL of its own: it can be shared, and back closes it', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(recent({ model: 'alpha' }), recent({ model: 'beta' }))
    await dashboard.projected(2)
    await dashboard.open()
    await rows.first().click()
    const detail = page.locator('dialog[open]')
    await detail.waitFor()
    const id = Number(await rows.first().getAttribute('data-id'))
    expect(dashboard.search()).toBe(`?request=${id}`)
    await page.getByRole('button', { name: 'The request below' }).click()
    await page.getByRole('dialog', { name: `Request ${id - 1}` }).waitFor()
    await page.goBack()
    await detail.waitFor({ state: 'detached' })
    expect(dashboard.search()).toBe('')

    await dashboard.load(`?request=${id}`)
    await page.getByRole('dialog', { name: `Request ${id}` }).waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    await detail.waitFor({ state: 'detached' })
    expect(dashboard.search()).toBe('')
  })

  test('says so when there is no such request', async ({ shared: dashboard }) => {
    dashboard.expectComplaints()
    dashboard.append(recent())
    await dashboard.projected(1)
    await dashboard.open('?request=99')
    dashboard.spoil()
    await dashboard.page.locator('#detail .banner', { hasText: 'Not found' }).waitFor()
  })

  test('everything can be done by keyboard alone', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(...['one', 'two', 'three'].map((model) => recent({ model })))
    await dashboard.projected(3)
    await dashboard.open()
    const focused = (what: string) => page.locator(`${what}:focus-visible`)
    for (let i = 0; i < 40 && (await focused('#entries tr').count()) === 0; i++)
      await page.keyboard.press('Tab')
    await focused('#entries tr').waitFor()
    await page.keyboard.press('ArrowDown')
    await focused('#entries tr:nth-child(2)').waitFor()
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    const id = await rows.nth(1).getAttribute('data-id')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: `Request ${id}` }).waitFor()
    await page.keyboard.press('Escape')
    await page.locator('dialog[open]').waitFor({ state: 'detached' })
    await focused('#entries tr:nth-child(2)').waitFor()
    // Nobody's row moves away while the keyboard is on it.
    dashboard.append(recent({ model: 'four' }, 0))
    await page.getByRole('button', { name: '1 new request' }).waitFor()
    expect(await rows.count()).toBe(3)
    await page.locator('input[name="range"][value="24h"]').focus()
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(/range=7d/)
  })
})
