import { describe, expect, test as plain } from 'vitest'
import { formatCost, formatUsd } from '../../src/server/dashboard/page/format.js'
import { hasBrowser } from './support/browser.js'
import { eventually, recent, test } from './support/dashboard.js'

describe.skipIf(!hasBrowser)('the currency of costs', () => {
  test('is the one that the window has costs in, without a switch', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(recent({ cost_usd: 0.25 }), recent({ cost_usd: 0.05 }), recent())
    await dashboard.projected(3)
    await dashboard.open()
    expect(await dashboard.tile('Cost').innerText()).toMatch(/^Cost\s+\$0\.30\s+\$0\.15 each, 1 unpriced/)
    expect(await page.locator('#currencies').isVisible()).toBe(false)
    expect((await rows.locator('.cost').allInnerTexts()).toSorted()).toEqual(['$0.05', '$0.25', '–'])
    expect(await page.locator('#chart-cost h3').innerText()).toBe('Cost per hour, dollars')
    await page.getByRole('button', { name: 'Cost', exact: true }).click()
    await eventually(() => dashboard.search()).toBe('?sort=cost_usd')
    await eventually(() => rows.locator('.cost').allInnerTexts()).toEqual(['$0.25', '$0.05', '–'])
  })

  test('is sats first where there are both, with a switch; they are never added up', async ({
    shared: dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.append(recent({ cost_sats: 100 }), recent({ cost_usd: 2, model: 'paid in dollars' }))
    await dashboard.projected(2)
    await dashboard.open('?sort=cost_sats')
    const cost = async () => (await dashboard.tile('Cost').innerText()).replace(/\s+/g, ' ')
    const legend = async () => await page.locator('#chart-cost .legend').innerText()
    expect(await cost()).toMatch(/^Cost 100 ?sats 100 each, 1 unpriced/)
    expect(await legend()).toMatch(/paid in dollars\s+–\s+1 unpriced/)
    await page.locator('#currencies input[value="usd"]').check()
    await eventually(() => dashboard.search()).toBe('?currency=usd&sort=cost_usd')
    await eventually(cost).toMatch(/^Cost \$2\.00 \$2\.00 each, 1 unpriced/)
    await eventually(legend).toMatch(/gpt-4o\s+–\s+1 unpriced/)
    await eventually(() => rows.locator('.cost').allInnerTexts()).toEqual(['$2.00', '–'])
    await page.goBack()
    await eventually(cost).toMatch(/^Cost 100/)
    await eventually(() => rows.locator('.cost').allInnerTexts()).toEqual(['100', '–'])
  })
})

plain.for([
  [0.0042, '$0.0042'],
  [0.5, '$0.50'],
  [13.1, '$13.10'],
  [999.6, '$1,000'],
  [12_345, '$12.3 k'],
  [-15, '-$15.00'],
  [-0.1, '-$0.10'],
  [0, '$0'],
  [null, '–'],
] as const)('%j dollars are shown as %s', ([value, text]) => {
  expect(formatUsd(value)).toBe(text)
})

plain.for([
  [0.00303, 'usd', '$0.00303'],
  [0.000_012_345_6, 'usd', '$0.000012346'],
  [2, 'usd', '$2.00'],
  [1234.567, 'usd', '$1,234.57'],
  [-0.1, 'usd', '-$0.10'],
  [57.3, 'sats', '57.3'],
  [0.012_345, 'sats', '0.0123'],
  [0, 'sats', '0'],
  [null, 'usd', '–'],
] as const)('a request that cost %j %s is listed as %s', ([value, currency, text]) => {
  expect(formatCost(value, currency)).toBe(text)
})
