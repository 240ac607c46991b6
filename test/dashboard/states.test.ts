import { describe, expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { startServer } from '../../src/server/index.js'
import { hasBrowser } from './support/browser.js'
import { eventually, recent, test } from './support/dashboard.js'

describe.skipIf(!hasBrowser)('when things are not as usual', () => {
  test('an empty database says what to run, and fills by itself', async ({ dashboard, workspace }) => {
    const { page, rows } = dashboard
    await dashboard.installClock()
    await dashboard.open()
    // A projector runs already.
    const commands = await page.locator('#welcome .command code').allInnerTexts()
    expect(commands[0]).toContain(`| npx request-journal append --journal ${workspace.journal}`)
    expect(commands.join()).not.toContain('request-journal project')
    expect(await page.locator('#welcome .is-missing b').allInnerTexts()).toEqual(['Journal', 'Events'])
    expect(await page.locator('#charts').isVisible()).toBe(false)
    dashboard.append(recent())
    await eventually(() => rows.count()).toBe(1)
    expect(await page.locator('#rows-message').isVisible()).toBe(false)
    // A load that time is moved on in seems slow, and then the page waits longer until the next.
    await eventually(async () => {
      await page.clock.fastForward(15_000)
      return await page.locator('#charts').isVisible()
    }).toBe(true)
    expect(await page.locator('#welcome').isVisible()).toBe(false)
  })

  test('a window without requests says so', async ({ shared: dashboard }) => {
    dashboard.append(recent({}, 7200))
    await dashboard.projected(1)
    await dashboard.open('?range=1h')
    expect(await dashboard.page.locator('#rows-message').innerText()).toContain('No requests here')
    expect(await dashboard.page.locator('.plot .note').allInnerTexts()).toEqual(
      Array(3).fill('No requests in this window'),
    )
    expect(await dashboard.tile('Latency (median)').locator('.figure').innerText()).toBe('–')
  })

  test('the page says that the server is gone and how old the figures are, and finds it again', async ({
    dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.expectComplaints()
    dashboard.append(recent())
    await dashboard.projected(1)
    await dashboard.open()
    await dashboard.service.stop()
    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('Succeeded')
    const banner = page.locator('.banner.is-bad')
    await banner.waitFor()
    expect(await banner.innerText()).toMatch(/doesn’t answer.*What you see here is as of \d\d:\d\d:\d\d UTC/s)
    expect(await rows.count()).toBe(0)
    await dashboard.restart()
    await banner.waitFor({ state: 'detached', timeout: 25_000 })
    await eventually(() => rows.count()).toBe(1)
    // The stream is found again too.
    await page.locator('#live-state[data-state="live"]').waitFor({ timeout: 25_000 })
    dashboard.append(recent({}, 0))
    await eventually(() => rows.count()).toBe(2)
  })

  test('a model that no request ever had is named, and the filter can be cleared', async ({
    shared: dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.expectComplaints()
    dashboard.append(recent())
    await dashboard.projected(1)
    await page.goto(`${dashboard.service.url}/${dashboard.scoped('?model=nobody')}`)
    await page.locator('.banner', { hasText: "Model 'nobody' not found" }).first().waitFor()
    expect(await dashboard.tile('Requests').locator('.figure').innerText()).toBe('–')
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await rows.first().waitFor()
    await page.locator('.banner').first().waitFor({ state: 'detached' })
  })

  test('says what it waits for while there is no database, and shows what comes then', async ({
    dashboard,
    workspace,
  }) => {
    const { page, rows } = dashboard
    dashboard.expectComplaints()
    const database = `${workspace.database}-of-later`
    const server = await startServer({ journal: workspace.journal, database, port: 0 })
    try {
      await page.goto(server.url)
      const welcome = page.locator('#welcome', { hasText: 'No database yet' })
      await welcome.waitFor()
      expect(await page.locator('.banner').count()).toBe(0)
      const project = `npx request-journal project --journal ${workspace.journal} --db ${database}`
      expect(await welcome.locator('.command code').first().innerText()).toBe(project)
      dashboard.append(recent())
      await projectOnce({ journal: workspace.journal, database })
      await welcome.waitFor({ state: 'hidden' })
      await eventually(() => rows.count()).toBe(1)
      await eventually(() => dashboard.tile('Requests').locator('.figure').innerText()).toBe('1')
    } finally {
      await page.goto('about:blank')
      await server.close()
    }
  })

  test('the page says that the server asks for a token, and that a proxy refuses what it asks about the projector', async ({
    shared: dashboard,
  }) => {
    const { page } = dashboard
    dashboard.expectComplaints()
    dashboard.spoil()
    await page.route('**/v1/stats*', (route) =>
      route.fulfill({
        status: 401,
        json: { error: { message: 'Unauthorized', type: 'arbstr_error', code: 401 } },
      }),
    )
    await page.goto(dashboard.service.url)
    await page.locator('.banner', { hasText: 'requires its token' }).waitFor()
    await page.unroute('**/v1/stats*')
    await page.route('**/healthz', (route) => route.fulfill({ status: 403, body: 'Forbidden' }))
    await page.goto(dashboard.service.url)
    await page.locator('.banner', { hasText: /isn’t known.*403 Forbidden/ }).waitFor()
  })

  test('a projector in trouble is said', async ({ shared: dashboard }) => {
    const { page } = dashboard
    dashboard.spoil()
    const failing = (health: object) => ({ json: { status: 'failing', problems: [], ...health } })
    for (const [answer, words] of [
      [
        failing({ projector_running: true, lag_seconds: 95, lag_bytes: 12_300_000 }),
        /behind.*12\.3 M bytes.*1 min 35 s/s,
      ],
      [
        failing({ projector_running: false, lag_seconds: 0, lag_bytes: 0 }),
        /No projector is running.*request-journal project/s,
      ],
    ] as const) {
      await page.route('**/healthz', (route) => route.fulfill(answer))
      await page.goto(dashboard.service.url)
      await page.locator('.banner').waitFor()
      expect(await page.locator('.banner').innerText()).toMatch(words)
    }
  })

  test('a phone shows everything without scrolling sideways', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    await page.setViewportSize({ width: 360, height: 740 })
    const long = 'a-provider/with-a-name-that-goes-on-and-on-for-longer-than-any-phone-is-wide'
    dashboard.append(
      recent({ model: long, provider: long, cost_sats: 12345.678, success: false, error_message: long }),
    )
    await dashboard.projected(1)
    const width = 'document.documentElement.scrollWidth'
    await dashboard.open()
    expect(await page.evaluate(width)).toBe(360)
    for (const search of [
      '?since=2026-01-01T00:00:00Z',
      '?request=1',
      '?label:team=a-team-with-a-long-name',
    ]) {
      await dashboard.goTo(search)
      await dashboard.shown()
      expect(await page.evaluate(width), search).toBe(360)
    }
    await dashboard.goTo('')
    await dashboard.shown()
    const box = await rows.first().boundingBox()
    expect(box?.width).toBeLessThanOrEqual(360)
    await rows.first().locator('.cost', { hasText: '12,345.68' }).waitFor()
    expect(await page.locator('#entries').getAttribute('role')).toBe('rowgroup')
  })
})
