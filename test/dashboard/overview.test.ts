import { readFileSync } from 'node:fs'
import { describe, expect } from 'vitest'
import { hasBrowser } from './support/browser.js'
import { eventually, recent, test } from './support/dashboard.js'
import { faintTexts, layoutShifts, namelessControls } from './support/page-checks.js'

const HOUR = 3600

/** Whether anything was painted on each chart's canvas. */
const PAINTED = `[...document.querySelectorAll('.chart canvas')].map((canvas) =>
  canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value !== 0))`

/** Colours of the pixels that most of a chart's bars have. */
const colourOf = (variable: string) => `(() => {
  const probe = document.body.appendChild(document.createElement('i'))
  probe.style.color = 'var(${variable})'
  const color = getComputedStyle(probe).color
  probe.remove()
  return color.match(/\\d+/g).slice(0, 3).join()
})()`
const hasColour = (chart: string, colour: string) => `(() => {
  const canvas = document.querySelector('#${chart} canvas')
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  const [red, green, blue] = [${colour}]
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) return true
  }
  return false
})()`

describe.skipIf(!hasBrowser)('figures and charts', () => {
  test('tiles compare the window with the window before', async ({ shared: dashboard }) => {
    const costs = { input_tokens: 1000, output_tokens: 200, cost_sats: 13.1, latency_ms: 2140 }
    dashboard.append(
      recent(costs, 1.5 * HOUR),
      recent(costs),
      recent({ ...costs, streaming: true }),
      recent({ success: false, error_status: 502, latency_ms: 2140 }),
    )
    await dashboard.projected(4)
    await dashboard.open('?range=1h')
    const read = async (name: string) => (await dashboard.tile(name).innerText()).replace(/\s+/g, ' ')
    await dashboard.tile('Requests').locator('.delta span').first().waitFor()
    expect(await read('Requests')).toMatch(
      /^Requests 3 1 streams ▲ 200 % from 1 ?Up 200 % from the hour before$/,
    )
    expect(await read('Cost')).toMatch(/^Cost 26\.2 ?sats 13\.1 each, 1 unpriced \(1 failed\) ▲ 100 %/)
    expect(await read('Tokens')).toMatch(/^Tokens 2,400 2,000 in, 400 out, unknown for 1 ▲ 100 %/)
    expect(await read('Failures')).toMatch(/^Failures 1 33\.3 % of all ▲ from 0/)
    expect(await read('Cache hits')).toMatch(/^Cache hits – no cache reads logged/)
    expect(await read('Latency (median)')).toMatch(
      /^Latency \(median\) 2\.1\d ?s p95 2\.1\d s, p99 2\.1\d s = same/,
    )
  })

  test('a cost that no request has is unknown, not 0', async ({ shared: dashboard }) => {
    dashboard.append(recent(), recent(), recent({ model: 'paid', cost_sats: 5, success: false }, 90 * 60))
    await dashboard.projected(3)
    await dashboard.open('?range=1h')
    expect(await dashboard.tile('Cost').innerText()).toMatch(/–\s+2 unpriced/)
    expect(await dashboard.tile('Tokens').innerText()).toMatch(/–\s+unknown for all 2/)
    await dashboard.open()
    const legend = (model: string) => dashboard.page.locator('#chart-cost .legend li', { hasText: model })
    await eventually(() => legend('gpt-4o').innerText()).toMatch(/^gpt-4o\s+–\s+2 unpriced$/)
    expect(await legend('paid').innerText()).toMatch(/^paid\s+5\.00\s+100\.0 %\s+1 request$/)
  })

  test('refunds are drawn below zero', async ({ shared: dashboard }) => {
    const { page } = dashboard
    dashboard.append(recent({ cost_sats: -20 }, 60), recent({ cost_sats: 5, model: 'other one' }, 60))
    await dashboard.projected(2)
    await dashboard.open('?range=1h')
    const colour = String(await page.evaluate(colourOf('--series-2')))
    await eventually(() => page.evaluate(hasColour('chart-cost', colour))).toBe(true)
    expect(await dashboard.tile('Cost').locator('.figure').innerText()).toMatch(/^-15\.0/)
  })

  test('costs are stacked by provider when asked for; a name in the legend becomes the filter, those without one too', async ({
    shared: dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.append(
      recent({ provider: 'east', cost_sats: 5 }),
      recent({ provider: null, success: false, cost_sats: 3 }),
    )
    await dashboard.projected(2)
    await dashboard.open()
    await page.getByRole('combobox', { name: 'Cost by' }).selectOption('Provider')
    await page.locator('#chart-cost .legend', { hasText: 'east' }).waitFor()
    expect(dashboard.search()).toBe('?by=provider')
    await page.locator('#chart-cost .legend').getByRole('button', { name: '(no provider)' }).click()
    await eventually(() => rows.count()).toBe(1)
    expect(dashboard.search()).toBe('?without_provider=true&by=provider')
    await page.locator('#chart-cost .legend').getByRole('button', { name: '(no provider)' }).click()
    await eventually(() => rows.count()).toBe(2)
    await page.locator('#chart-cost .legend').getByRole('button', { name: 'east' }).click()
    await eventually(() => dashboard.search()).toBe('?provider=east&by=provider')
  })

  test('three charts are painted, in the colours of the theme', async ({ shared: dashboard }) => {
    const { page } = dashboard
    await page.emulateMedia({ colorScheme: 'light' })
    dashboard.append(
      recent({ cost_sats: 5 }, HOUR),
      recent({ cost_sats: 3, model: 'other' }, HOUR),
      recent({ success: false }, HOUR),
    )
    await dashboard.projected(3)
    // A window that is over isn't asked for again: what is painted anew is so because of the theme.
    const [since, until] = [2 * HOUR, HOUR / 2].map((ago) => new Date(Date.now() - ago * 1000).toISOString())
    await dashboard.open(`?since=${since}&until=${until}`)
    await eventually(() => page.evaluate(PAINTED)).toEqual([true, true, true])
    const light = String(await page.evaluate(colourOf('--series-1')))
    await eventually(() => page.evaluate(hasColour('chart-requests', light))).toBe(true)
    expect(await page.locator('#chart-cost .legend').innerText()).toContain('gpt-4o')

    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = String(await page.evaluate(colourOf('--series-1')))
    expect(dark).not.toBe(light)
    await eventually(() => page.evaluate(hasColour('chart-requests', dark))).toBe(true)

    await page.getByRole('button', { name: /^Theme/ }).click()
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('light')
    await eventually(() => page.evaluate(hasColour('chart-requests', light))).toBe(true)
    dashboard.spoil()
    await page.reload()
    expect(await page.evaluate('getComputedStyle(document.body).colorScheme')).toBe('light')
  })

  test('arrow keys read a chart moment by moment; a stretch drawn out on it becomes the window, and back undoes it', async ({
    shared: dashboard,
  }) => {
    const { page } = dashboard
    dashboard.append(recent({}, 30 * 60), recent())
    await dashboard.projected(2)
    await dashboard.open('?range=1h')
    await page.locator('#chart-requests canvas').waitFor()
    const plot = page.locator('#chart-requests .plot')
    expect(await plot.getAttribute('aria-label')).toMatch(
      /^2 requests, 0 failed \(0\.0 %\)\. Most in one minute: 1 at /,
    )
    await plot.focus()
    await page.keyboard.press('End')
    await eventually(() => page.locator('#announcer').innerText()).toMatch(/\d\d:\d\d: Succeeded/)
    await page.keyboard.press('ArrowLeft')
    expect(await page.locator('#chart-requests .moment').innerText()).toMatch(/\d\d:\d\d$/)

    const box = await plot.locator('.u-over').boundingBox()
    if (box === null) throw new Error('the chart is not there')
    const y = box.y + box.height / 2
    await page.mouse.move(box.x + box.width * 0.25, y)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.75, y, { steps: 4 })
    await page.mouse.up()
    await page.waitForURL(/since=.*&before=/)
    await page.locator('#tiles[aria-busy="false"]').waitFor()
    await eventually(() => dashboard.tile('Requests').locator('.figure').innerText()).toBe('1')
    await page.goBack()
    await eventually(() => dashboard.tile('Requests').locator('.figure').innerText()).toBe('2')
    expect(dashboard.search()).toBe('?range=1h')
  })

  test('retries are told apart from requests, and cached tokens from others', async ({ dashboard }) => {
    const { page } = dashboard
    const usage = { input_tokens: 1000, output_tokens: 10, cost_sats: 3 }
    dashboard.append(
      recent({ attempt: 0, success: false, error_status: 429, ...usage, cost_sats: null }),
      recent({ attempt: 1, ...usage, cache_read_input_tokens: 600 }),
      recent({ attempt: 0, ...usage, cache_creation_input_tokens: 50 }),
    )
    await dashboard.projected(3)
    await dashboard.open('?range=1h')
    const read = async (name: string) => (await dashboard.tile(name).innerText()).replace(/\s+/g, ' ')
    expect(await read('Requests')).toMatch(/^Requests 2 3 attempts, 1 retry/)
    expect(await read('Failures')).toMatch(/^Failures 1 33\.3 % of attempts/)
    expect(await read('Cache hits')).toMatch(/^Cache hits 20\.0 ?% 600 of 3,000 tokens in, 50 written/)
    expect(await page.locator('#requests-count').innerText()).toBe('3 attempts, 1 retry')
    expect(await page.locator('#chart-requests h3').innerText()).toBe('Attempts per minute')
    // A filter that leaves out the first attempts leaves only attempts to be counted.
    await dashboard.open('?range=last_1h&attempt=1')
    expect(await read('Attempts')).toMatch(/^Attempts 1 1 retry/)
    expect(await page.locator('input[name="range"]:checked').inputValue()).toBe('1h')
  })

  test('unpriced requests are counted beside the cost, and lead to their list', async ({
    shared: dashboard,
  }) => {
    const { rows } = dashboard
    dashboard.append(
      recent({ cost_sats: 5 }),
      recent({ model: 'new-one' }),
      recent({ success: false, error_status: 500 }),
    )
    await dashboard.projected(3)
    await dashboard.open()
    await dashboard.tile('Cost').getByRole('button', { name: '2 unpriced (1 failed)' }).click()
    await eventually(() => rows.count()).toBe(2)
    expect(await rows.last().innerText()).toContain('new-one')
    expect(dashboard.search()).toBe('?unpriced=sats')
  })

  test('failures are counted by status, which become filters', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    const failed = (error_status: number | null) => recent({ success: false, error_status })
    dashboard.append(recent(), failed(429), failed(429), failed(429), failed(null))
    await dashboard.projected(5)
    await dashboard.open()
    const bars = page.locator('#failures li')
    const texts = async () => (await bars.allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim())
    await eventually(texts).toEqual(['429 3 75.0 %', 'no status 1 25.0 %'])
    await bars.getByRole('button', { name: 'no status' }).click()
    await eventually(() => rows.count()).toBe(1)
    expect(dashboard.search()).toBe('?success=false&error_status=none')
    await eventually(texts).toEqual(['no status 1 100.0 %'])
    await bars.getByRole('button', { name: 'no status' }).click()
    await eventually(() => rows.count()).toBe(5)
    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('Succeeded')
    await eventually(texts).toEqual(['No failures in this window'])
  })

  test('failures among more than a million requests are counted by status only when asked for', async ({
    shared: dashboard,
  }) => {
    const { page } = dashboard
    dashboard.append(recent({ success: false, error_status: 503 }))
    await dashboard.projected(1)
    // Nothing else tells the page how many there are.
    await page.route('**/v1/stats?**', async (route) => {
      const response = await route.fetch()
      const body = await response.json()
      if (body.error_statuses === undefined) body.counts.total = 2_000_000
      await route.fulfill({ response, json: body })
    })
    await dashboard.open()
    const failures = page.locator('#failures li')
    await failures.getByRole('button', { name: 'Count them among 2.00 M requests' }).click()
    await failures.getByRole('button', { name: '503' }).waitFor()
  })

  test('costs are told apart by any label, with their shares; a name becomes the filter', async ({
    shared: dashboard,
  }) => {
    const { page } = dashboard
    dashboard.append(
      recent({ cost_sats: 9, labels: { team: 'search', tier: 'local' } }),
      recent({ cost_sats: 3, labels: { team: 'agents' } }),
    )
    await dashboard.projected(2)
    await dashboard.open()
    await page.getByRole('combobox', { name: 'Cost by' }).selectOption('team')
    await eventually(() => dashboard.search()).toBe('?by=label:team')
    const legend = page.locator('#chart-cost .legend li')
    const texts = async () => (await legend.allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim())
    await eventually(texts).toEqual(['search 9.00 75.0 % 1 request', 'agents 3.00 25.0 % 1 request'])
    await legend.getByRole('button', { name: 'agents' }).click()
    await eventually(() => dashboard.search()).toBe('?by=label:team&label:team=agents')
    await eventually(texts).toEqual(['agents 3.00 100.0 % 1 request'])
    await page.getByRole('combobox', { name: 'Cost by' }).selectOption('Tier')
    await eventually(texts).toEqual(['(no tier) 3.00 100.0 % 1 request'])
  })

  test('every name of a breakdown has its exact cost, share and requests in a drawer, to copy or as CSV; the list has its column', async ({
    shared: dashboard,
  }) => {
    const { page } = dashboard
    const team = (name: string, cost_sats: number | null) =>
      recent({ cost_sats, labels: { team: name, a: name } })
    const small = Array.from({ length: 8 }, (_, i) => team(`t${i}`, 0.001 * (i + 1)))
    dashboard.append(team('search', 12_345.678_9), ...small)
    await dashboard.projected(9)
    await dashboard.open('?by=label:team&range=1h')
    const legend = page.locator('#chart-cost .legend li')
    const last = async () => (await legend.last().innerText()).replace(/\s+/g, ' ')
    // What would be added up as one name is that name.
    await eventually(last).toBe('t0 0.001 < 0.1 % 1 request')
    expect(await legend.first().locator('.value').getAttribute('title')).toBe('12,345.6789 sats')
    expect(await page.locator('#columns').innerText()).toMatch(/^Time \(UTC\)[^a]*Model\s+team\s+a\s/)
    dashboard.append(team('unknown cost', null))
    await dashboard.projected(10)
    await dashboard.open('?by=label:team')
    await eventually(last).toBe('2 others 0.001 < 0.1 % 1 of 2 unpriced')

    await page.getByRole('button', { name: 'Table of Cost per hour, sats' }).click()
    const foot = page.getByRole('table', { name: 'Cost per hour, sats' }).locator('tfoot')
    expect((await foot.innerText()).split(/\s+/)).toEqual([
      'Total',
      '12,345.6789',
      ...[8, 7, 6, 5, 4, 3, 2].map((i) => `0.00${i}`),
      '0.001',
      '12,345.7149',
    ])
    await page.getByRole('button', { name: 'Table of Cost per hour, sats' }).click()

    await legend.getByRole('button', { name: '2 others' }).click()
    const drawer = page.getByRole('dialog', { name: 'Cost by team' })
    const rows = async () =>
      (await drawer.getByRole('row').allInnerTexts()).map((text) => text.split('\t').join(' '))
    await eventually(async () => (await rows()).length).toBe(12)
    const all = await rows()
    expect(all[0]).toBe('team sats Share Requests Unpriced')
    expect(all[1]).toBe('search 12,345.6789 100.00 % 1 0')
    expect(all.slice(-2)).toEqual(['unknown cost – – 1 1', 'Total 12,345.7149 100.00 % 10 1'])
    expect(await namelessControls(page)).toEqual([])
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      drawer.getByRole('button', { name: 'CSV' }).click(),
    ])
    expect(file.suggestedFilename()).toBe('cost-by-team.csv')
    const lines = readFileSync(await file.path(), 'utf8').split('\r\n')
    expect(lines[0]).toBe('\ufefflabel:team,cost_sats,share_percent,requests,unpriced')
    expect(lines[1]).toMatch(/^search,12345\.6789,99\.999\d+,1,0$/)
    expect(lines.slice(-2)).toEqual(['unknown cost,,,1,1', ''])
    await drawer.getByRole('button', { name: 't3' }).click()
    await eventually(() => dashboard.search()).toBe('?by=label:team&label:team=t3')
    expect(await drawer.isVisible()).toBe(false)
  })

  test('every control has a name, every text contrast, and nothing moves while the page loads', async ({
    shared: dashboard,
  }) => {
    const { page } = dashboard
    const labels = { team: 'search', tier: 'frontier' }
    dashboard.append(
      recent({ cost_sats: 13.1, cost_usd: 0.01, input_tokens: 812, output_tokens: 164, labels }),
      recent({ success: false, error_status: 429, error_message: 'slow down', attempt: 1 }),
    )
    await dashboard.projected(2)
    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 390],
    ] as const) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 900 })
      await page.goto('about:blank')
      await dashboard.load()
      const { score, moved } = await layoutShifts(page)
      expect(score, moved.join('\n')).toBeLessThan(0.1)
      await page.locator('#failures[aria-busy="false"]').waitFor()
      await page.locator('#currencies').waitFor()
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      await page.locator('#more summary').click()
      expect(await namelessControls(page)).toEqual([])
      expect(await faintTexts(page)).toEqual([])
      await dashboard.goTo('?request=1')
      await page.locator('#detail .line').waitFor()
      expect(await namelessControls(page)).toEqual([])
      expect(await faintTexts(page)).toEqual([])
    }
    await dashboard.goTo('?range=7d')
    await dashboard.shown()
    for (const width of [1440, 1000, 740]) {
      await page.setViewportSize({ width, height: 900 })
      // The charts are drawn anew for it.
      const shownWidth = () => page.evaluate('document.documentElement.scrollWidth')
      await expect.poll(shownWidth, { timeout: 20_000 }).toBe(width)
      const header = await page.locator('.bar-row').boundingBox()
      if (width === 1440) expect(header?.height, 'one row').toBeLessThan(60)
    }
  })

  test('is quiet against nothing; has a table behind each chart, keys, a link that lasts, and curl', async ({
    shared: dashboard,
  }) => {
    const { page } = dashboard
    dashboard.append(recent({ cost_sats: 2 }), recent({ success: false, error_status: 500 }))
    await dashboard.projected(2)
    await dashboard.open('?range=1h')
    dashboard.spoil()
    expect(await page.locator('.delta').allInnerTexts()).toEqual(Array(6).fill(''))

    await page.getByRole('button', { name: 'Table of Requests per minute' }).click()
    const table = page.getByRole('table', { name: 'Requests per minute' })
    expect(await table.getByRole('columnheader').allInnerTexts()).toEqual([
      'Time',
      'Succeeded',
      'Failed',
      'Total',
    ])
    expect(await table.locator('tfoot').innerText()).toMatch(/^Total\s+1\s+1\s+2$/)
    expect(await table.getByRole('row').count()).toBeGreaterThan(60)
    expect(await page.locator('#chart-requests .plot').isVisible()).toBe(false)

    await page.evaluate(`globalThis.copied = []
      Object.defineProperty(navigator, 'clipboard', {
        value: { writeText: async (text) => { globalThis.copied.push(text) } },
      })`)
    await page.keyboard.press('?')
    expect(await page.locator('#help').isVisible()).toBe(true)
    await page.keyboard.press('Escape')
    await page.keyboard.press('c')
    await page.locator('#share summary').click()
    await page.getByRole('button', { name: 'Copy as curl' }).click()
    await eventually(() => page.evaluate('globalThis.copied.length')).toBe(2)
    const [link = '', curl = ''] = (await page.evaluate('globalThis.copied')) as string[]
    const [, asked = ''] = /'(.*)'$/.exec(curl) ?? []
    expect((await (await fetch(asked)).json()).counts.total).toBe(2)

    // The link stays with its window, and with UTC for a reader who has another zone.
    await page.evaluate("localStorage.setItem('timezone', 'Asia/Tokyo')")
    await page.goto(link)
    await dashboard.shown()
    expect(await page.locator('#window-text').innerText()).toMatch(/UTC$/)
    expect(await page.locator('#live-text').innerText()).toBe('Not live')
    expect(await dashboard.tile('Requests').locator('.figure').innerText()).toBe('2')
    await page.keyboard.press('3')
    await eventually(() => page.url()).toMatch(/range=7d/)
    await page.locator('#help-button').click()
    await page.getByRole('checkbox', { name: 'Enable the shortcuts of a single key' }).uncheck()
    await page.keyboard.press('Escape')
    await page.keyboard.press('1')
    await page.keyboard.press('?')
    expect(page.url()).toMatch(/range=7d/)
    expect(await page.locator('#help').isVisible()).toBe(false)

    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('#share').isVisible()).toBe(false)
    expect(await page.locator('#chart-cost').isVisible()).toBe(true)
  })
})
