import type { Locator, Page } from 'playwright-core'
import { expect, vi } from 'vitest'
import { type EventInput, openJournal } from '../../../src/index.js'
import type { Stats } from '../../../src/queries/index.js'
import { test as base, requestLog, type Workspace, withWorkspace } from '../../support/workspace.js'
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
  /** Appends events, as a gateway does; returns when they are in the journal. */
  append(...events: EventInput[]): void
  /** Waits until the database has this many rows: the page then shows them all at once. */
  projected(count: number): Promise<void>
  /** Shows this query string, and returns when the list and the figures are there. */
  open(search?: string): Promise<void>
  /** Resolves once the list and the figures are there. */
  shown(): Promise<void>
  /** Goes on to this query string as back and forward do, without loading the page anew. */
  goTo(search: string): Promise<void>
  /** The query string that the page has come to. */
  search(): string
  /** The rows of the list, and the tile of this name. */
  rows: Locator
  tile(name: string): Locator
}

/** A server and a database of the test's own. */
export interface OwnDashboard extends Dashboard {
  /** Gives the page a clock that the test moves on. */
  installClock(): Promise<void>
  /** Stops `serve`; `restart` starts it on the same port. */
  restart(): Promise<void>
}

/**
 * The server, database and page of all tests of a file that ask for it. Each test has a service
 * tier of its own: its requests have it, and what it opens is filtered by it, so that it sees
 * nothing of the others. The list has no column of it.
 */
export interface SharedDashboard extends Dashboard {
  files: Workspace
  /** Without what `append` adds. */
  appendAsIs(...events: EventInput[]): void
  /** A query string that is also filtered by this test's tier. */
  scoped(search: string): string
  /** Loads the page, rather than going on in the one that is there. */
  load(search?: string): Promise<void>
  /** The test leaves the page in a state that a query string doesn't undo. */
  spoil(): void
}

/** What the tests of a file share. */
interface Site {
  files: Workspace
  service: Service
  tests: number
  isSpoilt: boolean
}

/** A test with a browser's page that shows nothing yet, and a running `serve`. */
export const test = base.extend<{
  tab: Tab
  site: Site
  blank: Page
  dashboard: OwnDashboard
  shared: SharedDashboard
}>({
  tab: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
    async ({}, use) => {
      const tab = await Tab.open()
      await use(tab)
      await tab.close()
    },
    { scope: 'worker' },
  ],
  site: [
    async ({ tab }, use) => {
      await withWorkspace(async (files) => {
        const service = await Service.start(files)
        try {
          await use({ files, service, tests: 0, isSpoilt: false })
        } finally {
          // A page whose server goes away complains to the next test.
          await tab.clear(service.url)
          await service.stop()
        }
      })
    },
    { scope: 'file' },
  ],
  blank: async ({ tab }, use) => {
    await use(await tab.page())
    await tab.clear()
  },
  dashboard: async ({ workspace, tab }, use) => {
    let service = await Service.start(workspace)
    let hasClock = false
    const common = await commonOf(await tab.page(), workspace, () => service)
    const { page } = common
    const dashboard: OwnDashboard = {
      ...common,
      get service() {
        return service
      },
      installClock: async () => {
        hasClock = true
        await page.clock.install()
      },
      open: async (search = '') => {
        await page.goto(`${service.url}/${search}`)
        await settled(common)
      },
      restart: async () => {
        service = await Service.start(workspace, service.port)
      },
    }
    try {
      await use(dashboard)
      common.check()
    } finally {
      // A clock can't be given back.
      if (hasClock) await tab.discard()
      else await tab.clear(service.url)
      await service.stop()
    }
  },
  shared: async ({ site, tab, task }, use) => {
    const tier = `tier-${++site.tests}`
    const common = await commonOf(await tab.page(), site.files, () => site.service)
    const { page } = common
    const scoped = (search: string) => `${search === '' ? '?' : `${search}&`}service_tier=${tier}`
    const shared: SharedDashboard = {
      ...common,
      files: site.files,
      appendAsIs: common.append,
      append: (...events) =>
        common.append(
          ...events.map((event) => ('latency_ms' in event ? { ...event, service_tier: tier } : event)),
        ),
      projected: (count) => common.projected(count, scoped('')),
      scoped,
      load: async (search = '') => {
        await page.goto(`${site.service.url}/${scoped(search)}`)
        await settled(common)
      },
      open: async (search = '') => {
        if (site.isSpoilt || !page.url().startsWith(`${site.service.url}/`)) {
          site.isSpoilt = false
          return await shared.load(search)
        }
        await shared.goTo(search)
        await settled(common)
      },
      goTo: (search) => common.goTo(scoped(search)),
      search: () => withoutTier(common.search(), tier),
      spoil: () => {
        site.isSpoilt = true
      },
    }
    try {
      await use(shared)
      common.check()
    } finally {
      if (task.result?.state === 'fail') site.isSpoilt = true
      await tab.tidy()
    }
  },
})

const withoutTier = (search: string, tier: string) =>
  search.replace(new RegExp(`[?&]service_tier=${tier}(&|$)`), (found, next) =>
    next === '' ? '' : found.slice(0, 1),
  )

/** What every dashboard has, and a check that the browser didn't complain. */
async function commonOf(page: Page, files: Workspace, serviceNow: () => Service) {
  const complaints: string[] = []
  let isBroken = false
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return {
    page,
    complaints,
    service: serviceNow(),
    check: () => {
      if (!isBroken) expect(complaints).toEqual([])
    },
    expectComplaints: () => {
      isBroken = true
    },
    append: (...events: EventInput[]) => {
      const journal = openJournal({ directory: files.journal, fsync: 'no' })
      for (const event of events) journal.append(event)
      void journal.close()
    },
    projected: async (count: number, search = '?') => {
      await eventually(async () => {
        const answer = await fetch(`${serviceNow().url}/v1/stats${search}&since=2020-01-01T00:00:00Z`)
        return ((await answer.json()) as Stats).counts.total
      }).toBe(count)
    },
    shown: () => shown(page),
    goTo: async (search: string) => {
      await page.evaluate((search) => {
        history.pushState(null, '', location.pathname + search)
        dispatchEvent(new PopStateEvent('popstate'))
      }, search)
    },
    search: () => new URL(page.url()).search,
    rows: page.locator('#entries tr[data-id]'),
    tile: (name: string) => page.locator('.tile', { has: page.getByText(name, { exact: true }) }),
  }
}

/** Resolves once the list and the figures are there. */
export async function shown(page: Page): Promise<void> {
  await page.locator('#tiles[aria-busy="false"]').waitFor()
  await page.locator('#rows[aria-busy="false"]').waitFor()
}

/** Resolves once the list and the figures are there, and what came until the stream began. */
async function settled({ page }: { page: Page }): Promise<void> {
  await shown(page)
  await page.locator('#live-state:not([data-state="connecting"])').waitFor()
}

/** A request of a few seconds ago, so that every window has it. */
export function recent(fields: Parameters<typeof requestLog>[0] = {}, secondsAgo = 5) {
  return requestLog({ timestamp: new Date(Date.now() - secondsAgo * 1000).toISOString(), ...fields })
}
