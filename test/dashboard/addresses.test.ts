import { describe, expect } from 'vitest'
import { hasBrowser } from './support/browser.js'
import { eventually, recent, test } from './support/dashboard.js'
import { PROXIES, RunningProxy } from './support/proxy.js'
import { Service } from './support/service.js'

describe.skipIf(!hasBrowser)('the page works wherever it is served', () => {
  for (const [name, kind] of Object.entries(PROXIES)) {
    test.skipIf(!RunningProxy.isInstalled(kind))(`in a folder of ${name}`, async ({ shared: dashboard }) => {
      const { page, rows } = dashboard
      dashboard.append(recent({ model: 'first' }))
      await dashboard.projected(1)
      const proxy = await RunningProxy.start(kind, dashboard.service.port)
      try {
        await page.goto(`${proxy.url}/journal/${dashboard.scoped('?range=1h')}`)
        await page.locator('#live-state[data-state="live"]').waitFor()
        await eventually(() => dashboard.tile('Requests').locator('.figure').innerText()).toBe('1')
        await page.locator('#chart-requests canvas').waitFor()
        dashboard.append(recent({ model: 'second' }, 0))
        await eventually(() => rows.count()).toBe(2)
        await rows.first().click()
        await page.locator('#detail .line', { hasText: 'second' }).waitFor()
        expect(new URL(page.url()).pathname).toBe('/journal/')
      } finally {
        await page.goto('about:blank')
        await proxy.stop()
      }
    })
  }

  test('with user and password in its address', async ({ dashboard, workspace }) => {
    const { page, rows } = dashboard
    const token = 'a-token-of-this-test-0123456789'
    dashboard.append(recent({ model: 'first' }))
    await dashboard.projected(1)
    await dashboard.service.stop()
    const service = await Service.start(workspace, 0, token)
    try {
      await page.goto(`${service.url.replace('//', `//anybody:${token}@`)}/`)
      await page.locator('#live-state[data-state="live"]').waitFor()
      await eventually(() => rows.count()).toBe(1)
      await page.locator('input[name="range"][value="7d"]').check()
      await page.waitForURL(/range=7d/)
      await eventually(() => dashboard.tile('Requests').locator('.figure').innerText()).toBe('1')
      expect(await page.locator('.banner').count()).toBe(0)
    } finally {
      await page.goto('about:blank')
      await service.stop()
    }
  })
})
