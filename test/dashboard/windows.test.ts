import { describe, expect } from 'vitest'
import { hasBrowser } from './support/browser.js'
import { type Dashboard, eventually, recent, test } from './support/dashboard.js'

const at = (timestamp: string) => ({ ...recent(), timestamp })
const figure = (dashboard: Dashboard) => dashboard.tile('Requests').locator('.figure').innerText()

describe.skipIf(!hasBrowser)('the window of the page', () => {
  test('an end that is typed to the second covers it, and one at midnight ends there', async ({
    shared: dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.append(
      at('2026-11-23T23:59:59.999Z'),
      at('2026-11-24T00:00:00.000Z'),
      at('2026-11-24T23:59:59.500Z'),
      at('2026-11-25T00:00:00.000Z'),
    )
    await dashboard.projected(4)
    await dashboard.open()
    await page.locator('input[name="range"][value="custom"]').check()
    for (const end of ['2026-11-24T23:59:59', '2026-11-25T00:00:00']) {
      await page.locator('input[name="since"]').fill('2026-11-24T00:00:00')
      await page.locator('input[name="until"]').fill(end)
      expect(await page.locator('#custom-end').innerText()).toBe('UTC, everything before Nov 25 00:00:00')
      await page.getByRole('button', { name: 'Apply' }).click()
      await page.waitForURL(/since=2026-11-24T00:00:00.000Z&before=2026-11-25T00:00:00.000Z/)
      await eventually(() => figure(dashboard)).toBe('2')
      expect(await rows.count()).toBe(2)
      expect(await page.locator('#window-text').innerText()).toBe('Nov 24 00:00 – Nov 25 00:00 UTC')
      await dashboard.goTo('?since=2026-11-01')
      await eventually(() => figure(dashboard)).toBe('4')
    }
    // A day or month that an address names is shown as its bounds.
    await dashboard.goTo('?range=2026-11-24')
    await eventually(() => figure(dashboard)).toBe('2')
    expect(await page.locator('#custom-end').innerText()).toBe('UTC, everything before Nov 25 00:00:00')
  })

  test('is the same when it is applied again, whatever its end', async ({ shared: dashboard }) => {
    const { page } = dashboard
    dashboard.append(recent())
    await dashboard.projected(1)
    const end = () => page.locator('input[name="until"]').inputValue()
    const said = () => page.locator('#custom-end').innerText()
    await dashboard.open('?since=2026-11-24')
    await page.locator('input[name="until"]').fill('2026-11-24T12:00:05')
    for (let time = 0; time < 2; time++) {
      await page.getByRole('button', { name: 'Apply' }).click()
      await page.waitForURL(/before=2026-11-24T12:00:06.000Z/)
      expect(await end()).toBe('2026-11-24T12:00:05')
      expect(await said()).toBe('UTC, everything before Nov 24 12:00:06')
    }
    // The API's end is an instant, which can't be typed.
    await dashboard.goTo('?since=2026-11-24&until=2026-11-24T23:59:59Z')
    expect(await end()).toBe('2026-11-24T23:59:59')
    expect(await said()).toBe('UTC, everything before Nov 24 23:59:59.001')
  })

  test('follows the clocks of the browser if it is asked to, and remembers that', async ({
    shared: dashboard,
    tab,
  }) => {
    const { page, rows } = dashboard
    const zone = page.locator('#zone')
    // The page lives in another zone than the others'.
    dashboard.spoil()
    await tab.setTimeZone(page, 'Asia/Tokyo')
    dashboard.append(at('2026-11-23T14:59:59.999Z'), at('2026-11-23T15:00:00.000Z'))
    await dashboard.projected(2)
    await dashboard.load('?since=2026-11-24&until=2026-11-24')
    expect(await page.locator('#zone-note').innerText()).toBe('All times are UTC.')
    expect(await rows.count()).toBe(0)
    await zone.selectOption('Asia/Tokyo')
    await page.waitForURL(/timezone=Asia\/Tokyo/)
    await eventually(() => rows.count()).toBe(1)
    // The figures may come after the list.
    await eventually(() => page.locator('#window-text').innerText()).toBe('Nov 24 00:00 – Nov 25 00:00 Tokyo')
    expect(await page.locator('#columns').innerText()).toMatch(/^Time \(Tokyo\)/)
    expect(await rows.locator('.time').innerText()).toBe('Nov 24 00:00:00')
    expect(await page.locator('input[name="since"]').inputValue()).toBe('2026-11-24T00:00')
    expect(await page.locator('#zone-note').innerText()).toBe('All times are in Asia/Tokyo.')

    await dashboard.load('?since=2026-11-24&until=2026-11-24')
    await eventually(() => rows.count()).toBe(1)
    await page.keyboard.press('u')
    await eventually(() => rows.count()).toBe(0)
    // A month of Berlin begins before that of UTC.
    await zone.focus()
    await zone.selectOption('Europe/Berlin')
    await dashboard.goTo('?since=2026-10-01&before=2026-11-01&timezone=Europe/Berlin')
    const calendar = page.getByRole('combobox', { name: 'Day or month' })
    const chosen = () => calendar.evaluate((select: HTMLSelectElement) => select.selectedOptions[0]?.text)
    await eventually(chosen).toBe('October 2026')
    expect(await page.locator('#custom').isVisible()).toBe(false)
    expect(await page.locator('input[name="range"]:checked').count()).toBe(0)
    await eventually(() => page.locator('#window-before').innerText()).toBe(
      ', compared with the month before',
    )
    await calendar.selectOption('September 2026')
    await eventually(() => dashboard.search()).toBe('?range=2026-09&timezone=Europe/Berlin')
    await eventually(() => page.locator('#window-text').innerText()).toBe('Sep 1 00:00 – Oct 1 00:00 Berlin')
    await page.locator('input[name="range"][value="custom"]').check()
    expect(await page.locator('input[name="until"]').inputValue()).toBe('2026-10-01T00:00')
    await zone.selectOption('UTC')
    await dashboard.load('?since=2026-11-24&until=2026-11-24')
    expect(await page.locator('#zone-note').innerText()).toBe('All times are UTC.')
  })

  test('is a day or month of the calendar', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    const calendar = page.locator('#calendar')
    const midnight = new Date().setUTCHours(0, 0, 0, 0)
    dashboard.append(recent({ timestamp: new Date(midnight - 1).toISOString() }))
    await dashboard.projected(1)
    await dashboard.open()
    await calendar.selectOption('Yesterday')
    await page.waitForURL(/range=yesterday/)
    await eventually(() => rows.count()).toBe(1)
    await page.locator('#live-state[data-state="off"]').waitFor()
    await eventually(() => page.locator('#window-before').innerText()).toBe(', compared with the day before')
    expect(await page.locator('input[name="range"]:checked').count()).toBe(0)
    await calendar.selectOption('Today')
    await eventually(() => rows.count()).toBe(0)
    await page.locator('input[name="range"][value="7d"]').check()
    expect(await calendar.inputValue()).toBe('')
  })

  test('moves on for all that is shown, and has nothing dated in the future', async ({ dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(recent({ model: 'early' }, 50 * 60), recent({ model: 'late' }))
    await dashboard.projected(2)
    await dashboard.installClock()
    await dashboard.open('?range=1h')
    expect(await rows.count()).toBe(2)
    dashboard.append(recent({ model: 'future' }, -20 * 60), recent({ model: 'now' }, 0))
    await eventually(() => rows.count()).toBe(3)
    expect(await rows.locator('td.name:not(.provider)').allInnerTexts()).toEqual(['now', 'late', 'early'])

    // Half an hour passes, by the server's clock.
    await page.route('**/*', async (route) => {
      const response = await route.fetch()
      const date = new Date(Date.now() + 30 * 60_000).toUTCString()
      await route.fulfill({ response, headers: { ...response.headers(), date } })
    })
    await eventually(async () => {
      await page.clock.fastForward(11_000)
      return (await rows.locator('td.name:not(.provider)').allInnerTexts()).join()
    }).toBe('future,now,late')
    await eventually(() => figure(dashboard)).toBe('3')
    expect(await page.locator('#requests-count').innerText()).toBe('3')
    await page.unrouteAll({ behavior: 'ignoreErrors' })
  })

  test('is refused if the server refuses it, and the page says why', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    dashboard.expectComplaints()
    dashboard.append(recent())
    await dashboard.projected(1)
    await page.goto(`${dashboard.service.url}/${dashboard.scoped('?since=someday')}`)
    await page.locator('.banner', { hasText: "Invalid 'since' timestamp" }).waitFor()
    for (const [search, reason] of [
      ['?since=someday', "Invalid 'since' timestamp: 'someday', expected RFC 3339"],
      ['?timezone=Berln', "Invalid timezone 'Berln', expected a name of the IANA database"],
      ['?since=2026-11-24T10:00:00+02:00', "Invalid 'since' timestamp: '2026-11-24T10:00:00 02:00'"],
      ['?since=2026-02-30', "Invalid 'since' timestamp: '2026-02-30'"],
      ['?range=soon', "Invalid range 'soon'. Expected 1h, 24h, 7d, 30d, or a length such as 90m"],
      ['?until=2026-11-24T10:00:00Z', "Found 'until' without 'since'"],
      ['?sort=model', "Invalid sort field 'model'"],
      ['?success=perhaps', 'Invalid request'],
    ] as const) {
      await dashboard.goTo(search)
      await page.locator('.banner', { hasText: reason }).waitFor()
      await eventually(() => page.locator('.banner').count()).toBe(1)
      expect(await rows.count(), search).toBe(0)
    }
    await dashboard.open('?modle=gpt-4o&range=90m')
    await page.locator('.banner', { hasText: 'The page ignores modle=gpt-4o' }).waitFor()
    expect(await rows.count()).toBe(1)
  })

  test('shows neither a count nor newcomers if it is refused', async ({ dashboard }) => {
    const { page, rows } = dashboard
    dashboard.expectComplaints()
    dashboard.append(recent())
    await dashboard.projected(1)
    await dashboard.installClock()
    await dashboard.open()
    await eventually(() => page.locator('#requests-count').innerText()).toBe('1')
    await dashboard.goTo('?since=someday')
    await page.locator('.banner', { hasText: "Invalid 'since' timestamp" }).waitFor()
    await eventually(() => page.locator('#requests-count').innerText()).toBe('')
    await page.locator('#live-state[data-state="live"]').waitFor()
    await page.evaluate(async () => {
      const source = new EventSource('v1/stream')
      const heard = new Promise<void>((resolve) => {
        source.addEventListener('request', () => resolve())
      })
      Object.assign(globalThis, { heard })
      await new Promise((resolve) => source.addEventListener('open', resolve))
    })
    dashboard.append(recent())
    await page.evaluate(() => (globalThis as unknown as { heard: Promise<void> }).heard)
    await page.clock.runFor(500)
    expect(await rows.count()).toBe(0)
  })
})
