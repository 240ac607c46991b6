import type { Locator, Page } from 'playwright-core'
import { expect, vi } from 'vitest'
import { type EventInput, openJournal } from '../../../src/index.js'
import type { Stats } from '../../../src/queries/index.js'
import { test as base, requestLog } from '../../support/workspace.js'
import { Tab } from './browser.js'
import { Service } from './service.js'

// A browser and a server on a machine that has other work too.
vi.setConfig({ testTimeout: 90_000 })

interface Expectation {
  toBe(expected: unknown): Promise<void>
  toEqual(expected: unknown): Promise<void>
  toMatch(expected: RegExp): Promise<void>
}

/** Waits until what is read is as expected: `await eventually(() => rows.count()).toBe(3)`. */
export function eventually(read: () => unknown): Expectation {
  return expect.poll(read, { timeout: 25_000 })
}

export interface Dashboard {
  page: Page
  service: Service
  /**
   * What the browser complained about: errors of scripts, of the console, of the content security
   * policy.
   */
  complaints: string[]
  /** The test breaks something on purpose: the browser may complain. */
  expectComplaints(): void
  /** Gives the page a clock that the test moves on. */
  installClock(): Promise<void>
  /** Appends events, as a gateway does; returns when they are in the journal. */
  append(...events: EventInput[]): void
  /** Opens the page with this query string, and returns when the list and the figures are there. */
  open(search?: string): Promise<void>
  /** Resolves once the list and the figures are there. */
  shown(): Promise<void>
  /** Goes on to this query string as back and forward do, without loading the page anew. */
  goTo(search: string): Promise<void>
  /** The rows of the list, and the tile of this name. */
  rows: Locator
  tile(name: string): Locator
  /** Stops `serve`; `restart` starts it on the same port. */
  restart(): Promise<void>
}

/** A test with a running `serve`, and a page that shows nothing yet. */
export const test = base.extend<{ tab: Tab; dashboard: Dashboard }>({
  tab: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
    async ({}, use) => {
      const tab = await Tab.open()
      await use(tab)
      await tab.close()
    },
    { scope: 'worker' },
  ],
  dashboard: async ({ workspace, tab }, use) => {
    let service = await Service.start(workspace)
    const page = await tab.page()
    const complaints: string[] = []
    let isBroken = false
    let hasClock = false
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    const dashboard: Dashboard = {
      page,
      complaints,
      get service() {
        return service
      },
      expectComplaints: () => {
        isBroken = true
      },
      installClock: async () => {
        hasClock = true
        await page.clock.install()
      },
      append: (...events) => {
        const journal = openJournal({ directory: workspace.journal, fsync: 'no' })
        for (const event of events) journal.append(event)
        void journal.close()
      },
      open: async (search = '') => {
        await page.goto(`${service.url}/${search}`)
        await dashboard.shown()
        // What came between the first page and the stream has been asked for.
        await page.locator('#live-state:not([data-state="connecting"])').waitFor()
      },
      shown: async () => {
        await page.locator('#tiles[aria-busy="false"]').waitFor()
        await page.locator('#rows[aria-busy="false"]').waitFor()
      },
      goTo: async (search) => {
        await page.evaluate((search) => {
          history.pushState(null, '', location.pathname + search)
          dispatchEvent(new PopStateEvent('popstate'))
        }, search)
      },
      rows: page.locator('#entries tr[data-id]'),
      tile: (name) => page.locator('.tile', { has: page.getByText(name, { exact: true }) }),
      restart: async () => {
        service = await Service.start(workspace, service.port)
      },
    }
    try {
      await use(dashboard)
      if (!isBroken) expect(complaints).toEqual([])
    } finally {
      // A clock can't be given back.
      if (hasClock) await tab.discard()
      else await tab.clear(service.url)
      await service.stop()
    }
  },
})

/** A request of a few seconds ago, so that every window has it. */
export function recent(fields: Parameters<typeof requestLog>[0] = {}, secondsAgo = 5) {
  return requestLog({ timestamp: new Date(Date.now() - secondsAgo * 1000).toISOString(), ...fields })
}

/** Waits until the database has this many rows: the page then shows them all at once. */
export async function projected(dashboard: Dashboard, count: number): Promise<void> {
  await eventually(async () => {
    const answer = await fetch(`${dashboard.service.url}/v1/stats?range=last_30d`)
    return ((await answer.json()) as Stats).counts.total
  }).toBe(count)
}
