import { describe, expect } from 'vitest'
import { type Server, startServer } from '../../src/server/index.js'
import { TestFleet } from '../server/fleet/support.js'
import { makePlace } from '../server/support.js'
import { noPostgres, sharedPostgres } from '../support/postgres.js'
import { hasBrowser } from './support/browser.js'
import { eventually, recent, shown, test } from './support/dashboard.js'

describe.skipIf(!hasBrowser || noPostgres !== null)('the page over PostgreSQL', () => {
  test('has a filter and a breakdown by journal once there are two, and shows what comes from each', async ({
    blank: page,
  }) => {
    const rows = page.locator('#entries tr[data-id]')
    const place = makePlace()
    const fleet = await TestFleet.make(await sharedPostgres())
    await fleet.log(place, 'web-1', [recent({ model: 'alpha' }), recent({ model: 'alpha' })])
    let server: Server | null = null
    try {
      const { address: database, schema } = fleet
      server = await startServer({ database, schema, journal: place.journal, port: 0, queryThreads: 1 })
      const open = async (search = '') => {
        await page.goto(`${server?.url}/${search}`)
        await shown(page)
      }
      await open()
      await eventually(() => rows.count()).toBe(2)
      const journal = page.getByRole('combobox', { name: 'Journal' })
      expect(await journal.count()).toBe(0)

      await fleet.log(place, 'web-2', [recent({ model: 'beta' })])
      await eventually(() => rows.count()).toBe(3)
      await open()
      await journal.click()
      await page.getByRole('option', { name: /^web-2/ }).click()
      await eventually(() => rows.count()).toBe(1)
      expect(new URL(page.url()).search).toBe('?journal=web-2')
      await page.locator('#by').selectOption('journal')
      expect(new URL(page.url()).searchParams.get('by')).toBe('journal')
      await fleet.log(place, 'web-1', [recent({ model: 'alpha' })])
      await fleet.log(place, 'web-2', [recent({ model: 'beta' })])
      await eventually(() => rows.count()).toBe(2)
    } finally {
      await page.goto('about:blank')
      await server?.close()
    }
  })
})
