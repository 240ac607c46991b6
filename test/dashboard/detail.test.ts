import { describe, expect } from 'vitest'
import { hasBrowser } from './support/browser.js'
import { projected, recent, test } from './support/dashboard.js'

describe.skipIf(!hasBrowser)('the detail of a request', () => {
  test('has every column, the labels, the place and the journal’s own line', async ({
    dashboard,
    workspace,
  }) => {
    const { page, rows } = dashboard
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
    await projected(dashboard, 2)
    await dashboard.open()
    await rows.first().click()
    const detail = page.getByRole('dialog', { name: 'Request 2' })
    await detail.locator('.line').waitFor()
    const facts = (await detail.locator('.facts').allInnerTexts()).join('\n')
    for (const fact of ['alpha', 'east', 'cheapest', '812', '13.1 sats', 'team\nblue', '–']) {
      expect(facts).toContain(fact)
    }
    const [segment = ''] = workspace.segments()
    const [first = '', second = ''] = workspace.readSegment(segment).toString().split('\n')
    expect(facts).toContain(segment)
    expect(facts).toContain(String(Buffer.byteLength(first) + 1))
    const shown = await detail.locator('.line').innerText()
    expect(JSON.parse(shown)).toEqual(JSON.parse(second))
    expect(shown).toContain('\n  "model": "alpha",\n')
  })

  test('has a URL of its own: it can be shared, and back closes it', async ({ dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(recent({ model: 'alpha' }), recent({ model: 'beta' }))
    await projected(dashboard, 2)
    await dashboard.open()
    await rows.first().click()
    const detail = page.locator('dialog[open]')
    await detail.waitFor()
    expect(new URL(page.url()).search).toBe('?request=2')
    await page.getByRole('button', { name: 'The request below' }).click()
    await page.getByRole('dialog', { name: 'Request 1' }).waitFor()
    await page.goBack()
    await detail.waitFor({ state: 'detached' })
    expect(new URL(page.url()).search).toBe('')

    await dashboard.open('?request=2')
    await page.getByRole('dialog', { name: 'Request 2' }).waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    await detail.waitFor({ state: 'detached' })
    expect(new URL(page.url()).search).toBe('')
  })

  test('says so when there is no such request', async ({ dashboard }) => {
    dashboard.expectComplaints()
    await dashboard.open('?request=99')
    await dashboard.page.locator('#detail .banner', { hasText: 'Not found' }).waitFor()
  })

  test('everything can be done by keyboard alone', async ({ dashboard }) => {
    const { page, rows } = dashboard
    dashboard.append(...['one', 'two', 'three'].map((model) => recent({ model })))
    await projected(dashboard, 3)
    await dashboard.open()
    const focused = (what: string) => page.locator(`${what}:focus-visible`)
    for (let i = 0; i < 40 && (await focused('#entries tr').count()) === 0; i++)
      await page.keyboard.press('Tab')
    await focused('#entries tr').waitFor()
    await page.keyboard.press('ArrowDown')
    await focused('#entries tr:nth-child(2)').waitFor()
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Request 2' }).waitFor()
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
