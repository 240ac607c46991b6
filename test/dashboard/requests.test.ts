import { readFileSync } from 'node:fs'
import { describe, expect } from 'vitest'
import { hasBrowser } from './support/browser.js'
import { eventually, recent, test } from './support/dashboard.js'

const HOSTILE = '<img src=x onerror="document.title=1">\u202egpj.exe'
const SHOWN = HOSTILE.replace('\u202e', '\\u202e')
/** What is read on the page or heard of it. */
const ALL_TEXT = `[document.body.innerText, ...[...document.querySelectorAll('[title], [aria-label]')]
  .flatMap((found) => [found.title, found.getAttribute('aria-label')])].join('')`

describe.skipIf(!hasBrowser)('the request list', () => {
  test('filters change the list and the URL, and back undoes them', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(
      recent({ model: 'alpha', labels: { tier: 'local', team: 'blue' } }),
      recent({ model: 'beta', streaming: true }),
      recent({ model: 'beta', success: false, error_status: 502, error_message: 'no upstream' }),
    )
    await dashboard.projected(3)
    await dashboard.open()
    await eventually(() => rows.count()).toBe(3)

    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('Failed')
    await eventually(() => rows.count()).toBe(1)
    expect(await rows.first().innerText()).toMatch(/failed 502\s*no upstream/)
    expect(dashboard.search()).toBe('?success=false')
    await page.goBack()
    await eventually(() => rows.count()).toBe(3)
    expect(await page.getByRole('combobox', { name: 'Outcome' }).inputValue()).toBe('')

    const model = page.getByRole('combobox', { name: 'Model' })
    await model.click()
    await page.getByRole('option', { name: /^beta 2$/ }).click()
    await eventually(() => rows.count()).toBe(2)
    await page.getByRole('combobox', { name: 'Streaming' }).selectOption('true')
    await eventually(() => rows.count()).toBe(1)
    expect(dashboard.search()).toBe('?model=beta&streaming=true')
    // One scope: figures, count and list are of the same requests.
    await eventually(() => dashboard.tile('Requests').locator('.figure').innerText()).toBe('1')
    expect(await page.locator('#requests-count').innerText()).toBe('1')

    await dashboard.goTo('?label:team=blue')
    await eventually(() => rows.count()).toBe(1)
    expect(await rows.count()).toBe(1)
    await page.getByRole('button', { name: 'Remove team=blue' }).click()
    await eventually(() => rows.count()).toBe(3)
    await page.getByRole('combobox', { name: 'Tier' }).click()
    await page.getByRole('option', { name: /^local/ }).click()
    await eventually(() => rows.count()).toBe(1)
    expect(dashboard.search()).toBe('?label:tier=local')
  })

  test('filters by error, latency, cost, attempt, tier and policy from a menu; chips say and remove them', async ({
    dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.append(
      recent({ model: 'quick', latency_ms: 5, cost_sats: 7, attempt: 0, policy: 'chat' }),
      recent({ model: 'slow', latency_ms: 5000, attempt: 1 }),
      recent({ model: 'failed', success: false, error_status: 429, error_message: 'Rate limit: 50% used' }),
    )
    await dashboard.projected(3)
    await dashboard.open()
    const models = async () =>
      (await rows.evaluateAll((all) => all.map((row) => row.querySelector('.name')?.textContent))).sort()
    const menu = page.locator('#more')
    await menu.locator('summary').click()
    for (const [field, value, chip, found, search] of [
      ['Error status', '4xx', 'Status 4xx', ['failed'], '?error_status=4xx'],
      ['Error text', '50%', 'Error contains “50%”', ['failed'], '?error_message=50%25'],
      ['Minimum latency', '5000', 'At least 5000 ms', ['slow'], '?min_latency=5000'],
      ['Minimum cost', '7', 'At least 7 sats', ['quick'], '?min_cost=7'],
      ['Attempt', '1', 'Attempt 1', ['slow'], '?attempt=1'],
      ['Service tier', 'flex', 'Service tier flex', [], '?service_tier=flex'],
    ] as const) {
      const input = menu.getByLabel(field)
      await input.fill(value)
      await input.press('Enter')
      await eventually(models).toEqual(found)
      expect(dashboard.search()).toBe(search)
      const count = found[0] === 'slow' ? '1 attempt, 1 retry' : String(found.length)
      await eventually(() => page.locator('#requests-count').innerText()).toBe(count)
      await page.getByRole('button', { name: `Remove ${chip}` }).click()
      await eventually(() => rows.count()).toBe(3)
      expect(await input.inputValue()).toBe('')
      await menu.locator('summary').click()
    }

    await menu.locator('[name=unpriced]').selectOption('Not known in sats')
    await eventually(models).toEqual(['failed', 'slow'])
    await menu.getByRole('combobox', { name: 'Policy' }).click()
    await page.getByRole('option', { name: 'No policy' }).click()
    await eventually(() => dashboard.search()).toBe('?without_policy=true&unpriced=sats')
    expect(await page.locator('.chip').allTextContents()).toEqual(['No policy×', 'No known cost in sats×'])
    // A value that can't be one is told where it is typed, and asks for nothing.
    await menu.getByLabel('Minimum cost').fill('7eur')
    await menu.getByLabel('Minimum cost').press('Enter')
    expect(
      await menu.getByLabel('Minimum cost').evaluate((field: HTMLInputElement) => field.validity.valid),
    ).toBe(false)
    expect(dashboard.search()).toBe('?without_policy=true&unpriced=sats')
    await page.keyboard.press('Escape')
    expect(await menu.getAttribute('open')).toBeNull()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await eventually(() => rows.count()).toBe(3)
    expect(dashboard.search()).toBe('')
  })

  test('a new request appears by itself, but waits while the list is paused or being read', async ({
    shared: dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.append(recent({ model: 'first' }))
    await dashboard.projected(1)
    await dashboard.open()
    await eventually(() => rows.count()).toBe(1)
    dashboard.append(recent({ model: 'second' }, 0))
    await eventually(() => rows.first().locator('td').nth(1).innerText()).toBe('second')

    dashboard.spoil()
    await page.getByRole('button', { name: 'Pause' }).click()
    dashboard.append(recent({ model: 'third' }, 0))
    await page.getByRole('button', { name: 'Show 1 new request' }).waitFor()
    expect(await rows.count()).toBe(2)
    await page.getByRole('button', { name: 'Show 1 new request' }).click()
    await eventually(() => rows.count()).toBe(3)

    await rows.nth(1).hover()
    dashboard.append(recent({ model: 'fourth' }, 0))
    await page.getByRole('button', { name: '1 new request' }).waitFor()
    expect(await rows.count()).toBe(3)
    await page.locator('h1, .brand').first().hover()
    await eventually(() => rows.first().locator('td').nth(1).innerText()).toBe('fourth')
  })

  test('a stream that ends changes its row, whether it began before the page or after', async ({
    dashboard,
  }) => {
    const { page, rows } = dashboard
    const [before, after] = ['6ee8109f-b3c3-4737-ab34-eb720302ce56', '1aefa97a-d522-44a0-aff6-c4329e516a4e']
    dashboard.append(recent({ correlation_id: before, model: 'before', streaming: true }))
    await dashboard.projected(1)
    await dashboard.installClock()
    await dashboard.open('?range=1h')
    dashboard.append(recent({ correlation_id: after, model: 'after', streaming: true }, 0))
    const cost = (model: string) => rows.filter({ hasText: model }).locator('.cost').innerText()
    await eventually(() => cost('after')).toBe('–')
    expect(await cost('before')).toBe('–')
    dashboard.append(completion(after), completion(before))
    await eventually(() => cost('after')).toBe('57.3')
    // Of a stream that began before, the page hears when it next asks.
    await eventually(async () => {
      await page.clock.fastForward(15_000)
      return await cost('before')
    }).toBe('57.3')
    expect(await rows.first().locator('.outcome').innerText()).toBe('ok stream 9.20 s')
  })

  test('names are completed as they are typed, and the page asks for as many as it shows', async ({
    dashboard,
  }) => {
    const { page, rows } = dashboard
    const names = Array.from({ length: 300 }, (_, i) => `vendor-${i % 3}/model-${i}`)
    dashboard.append(
      ...names.map((model) => recent({ model, provider: 'east', cost_sats: 1 })),
      recent({ model: 'rare', provider: null }),
    )
    await dashboard.projected(301)
    let bytes = 0
    page.on('response', async (response) => {
      if (response.url().includes('/v1/')) bytes += (await response.text().catch(() => '')).length
    })
    await dashboard.open('?range=1h')
    await eventually(() => page.locator('#chart-cost .legend li').count()).toBe(9)
    const model = page.getByRole('combobox', { name: 'Model' })
    await model.click()
    await page.getByRole('option', { name: 'There are more' }).waitFor()
    expect(await page.locator('#model-choices').getByRole('option').count()).toBe(22)
    await model.fill('RA')
    await page.getByRole('option', { name: /^rare 1$/ }).waitFor()
    await page.keyboard.press('Enter')
    await eventually(() => rows.count()).toBe(1)
    expect(dashboard.search()).toBe('?range=1h&model=rare')
    expect(await model.inputValue()).toBe('rare')
    await page.getByRole('button', { name: 'Clear filters' }).click()
    const provider = page.getByRole('combobox', { name: 'Provider' })
    await provider.press('ArrowDown')
    await page.getByRole('option', { name: 'No provider' }).waitFor()
    // To the last choice, from there to the first, and to the second.
    for (const key of ['ArrowUp', 'ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key)
    await page.waitForURL(/without_provider=true/)
    await eventually(() => rows.count()).toBe(1)
    expect(await provider.inputValue()).toBe('No provider')
    expect(await provider.evaluate((field) => field.scrollWidth - field.clientWidth)).toBe(0)
    expect(bytes).toBeLessThan(200_000)
  })

  test('a stream without an end is open, then unfinished, and can be filtered for', async ({
    shared: dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.append(
      recent({ model: 'old', streaming: true }, 2 * 3600),
      recent({ model: 'new', streaming: true }),
      recent({ model: 'whole', streaming: true, input_tokens: 1, output_tokens: 1 }),
    )
    await dashboard.projected(3)
    await dashboard.open()
    const outcomes = await rows.locator('.outcome').allInnerTexts()
    expect(outcomes).toEqual(['ok stream', 'open stream', 'unfinished stream'])
    expect(await dashboard.tile('Requests').innerText()).toContain('3 streams, 1 open, 1 unfinished')
    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('Unfinished streams')
    await eventually(() => rows.count()).toBe(1)
    expect(dashboard.search()).toBe('?unfinished=true')
    await rows.first().click()
    await page.locator('#detail .badge', { hasText: 'unfinished' }).waitFor()
  })

  test('error messages get the width that names don’t need', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    const message = 'client went away before the answer was whole: 12 of 164 tokens'
    dashboard.append(recent({ success: false, error_status: 499, error_message: message }))
    await dashboard.projected(1)
    await dashboard.open()
    const cut = `(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.querySelector('td.outcome'))`
    expect(await rows.first().innerText()).toContain(message)
    expect(await page.evaluate(cut)).toBe(false)
  })

  test('the list can be downloaded without formulas, sorted by cost, and goes on after its last row', async ({
    shared: dashboard,
  }) => {
    const { page, rows } = dashboard
    dashboard.append(
      ...Array.from({ length: 120 }, (_, i) => recent({ cost_sats: i, labels: { team: 'a,b' } }, i + 1)),
      recent(
        { model: '=1+1', attempt: 2, cost_usd: 0.25, success: false, error_message: 'said "no",\nand left' },
        0,
      ),
      recent({ model: 'hidden' }, 3600 * 30),
    )
    await dashboard.projected(122)
    await dashboard.open()
    const download = async (format: string) => {
      await page.locator('#download summary').click()
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: format, exact: true }).click(),
      ])
      expect(file.suggestedFilename()).toBe(`requests.${format.toLowerCase()}`)
      return readFileSync(await file.path(), 'utf8')
    }
    // Nothing has a provider, and one row has no team. A choice is in the URL.
    const heads = async () => (await page.locator('#columns th').allInnerTexts()).join()
    expect(await heads()).toMatch(/^Time \(UTC\)↓,Model,team,Sats/)
    expect(await rows.nth(1).locator('.extra').innerText()).toBe('a,b')
    await page.locator('#columns-menu summary').click()
    await page.getByRole('checkbox', { name: 'team' }).uncheck()
    await page.getByRole('checkbox', { name: 'Provider' }).check()
    await eventually(heads).toMatch(/^Time \(UTC\)↓,Model,Provider,Sats/)
    expect(dashboard.search()).toBe('?columns=provider')
    await page.keyboard.press('Escape')
    const lines = (await download('NDJSON')).trim().split('\n')
    const requests = lines.map((line) => JSON.parse(line))
    expect(requests.map(({ cost_sats }) => cost_sats)).toEqual([null, ...Array(120).keys()])
    expect(requests[0]).toMatchObject({ model: '=1+1', attempt: 2, cost_usd: 0.25 })
    expect(requests[1]).toMatchObject({ labels: { team: 'a,b' }, success: true, input_tokens: null })
    const csv = await download('CSV')
    expect(csv.startsWith('\ufeffid,correlation_id,timestamp,model,')).toBe(true)
    expect(csv.split('\r\n').length).toBe(123)
    expect(csv).toContain(",'=1+1,")
    expect(csv).toContain(',"said ""no"",\nand left",')
    expect(csv).toContain('"{""team"":""a,b""}"')

    await page.getByRole('button', { name: 'Sats', exact: true }).click()
    await eventually(() => rows.first().locator('.cost').innerText()).toBe('119')
    expect(await page.getByRole('columnheader', { name: 'Sats' }).getAttribute('aria-sort')).toBe(
      'descending',
    )
    for (const count of [100, 121]) {
      await page.getByRole('button', { name: 'Show older' }).click()
      await eventually(() => rows.count()).toBe(count)
    }
    const costs = await rows.locator('.cost').allInnerTexts()
    expect(costs.pop()).toBe('–')
    expect(costs.map(Number)).toEqual(Array.from({ length: 120 }, (_, i) => 119 - i))
    expect(await page.getByRole('button', { name: 'Show older' }).isVisible()).toBe(false)
  })

  test('a burst larger than a page is shown whole, in order', async ({ shared: dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(recent({ model: 'first' }, 60))
    await dashboard.projected(1)
    await dashboard.open()
    dashboard.append(...Array.from({ length: 450 }, (_, i) => recent({ input_tokens: i }, 30 - i / 20)))
    await eventually(() => rows.first().locator('.tokens-in').innerText()).toBe('449')
    while (await page.getByRole('button', { name: 'Show older' }).isVisible()) {
      const before = await rows.count()
      await page.getByRole('button', { name: 'Show older' }).click()
      await eventually(async () => (await rows.count()) > before).toBe(true)
    }
    const tokens = await rows.locator('.tokens-in').allInnerTexts()
    expect(tokens).toEqual([...Array.from({ length: 450 }, (_, i) => String(449 - i)), '–'])
  })

  test('hostile names are text that reorders nothing, wherever they show', async ({ dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(
      recent({
        model: HOSTILE,
        provider: HOSTILE,
        policy: HOSTILE,
        cost_sats: 5,
        labels: { [HOSTILE]: HOSTILE, tier: HOSTILE },
        success: false,
        error_status: 500,
        error_message: HOSTILE,
      }),
    )
    await dashboard.projected(1)
    await dashboard.open(`?by=provider&label:tier=${encodeURIComponent(HOSTILE)}`)
    expect(await rows.first().locator('td').nth(1).innerText()).toBe(SHOWN)
    await page.locator('#chart-cost .legend', { hasText: SHOWN }).waitFor()
    await rows.first().click()
    await page.locator('#detail .line', { hasText: 'onerror' }).waitFor()
    expect(await page.locator('img').count()).toBe(0)
    expect(await page.evaluate(ALL_TEXT)).not.toMatch(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/)
    expect(await page.title()).toBe('request-journal')
  })
})

function completion(correlation_id: string) {
  return {
    type: 'stream_completed' as const,
    correlation_id,
    input_tokens: 812,
    output_tokens: 1640,
    cost_sats: 57.3,
    provider_cost_sats: null,
    stream_duration_ms: 9200,
    success: true,
    error_status: null,
    error_message: null,
  }
}
