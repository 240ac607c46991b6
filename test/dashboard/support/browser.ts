import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core'

/** Debian's. Without a window to draw, the shell takes two thirds of the processor time. */
const BROWSERS = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium']

/** One of these, or what CHROMIUM names. */
const CHROMIUM = process.env['CHROMIUM'] ?? BROWSERS.find((path) => existsSync(path)) ?? ''
export const hasBrowser = existsSync(CHROMIUM)
if (!hasBrowser)
  console.warn(
    `Tests of the dashboard are skipped: there is none of ${BROWSERS.join(', ')} (apt-get install chromium)`,
  )

const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The pages of all servers are drawn by one process, and the browser's own asks the network: new
  // processes for each server took a fifth of the browser's processor time.
  '--process-per-site',
  '--renderer-process-limit=1',
  '--disable-features=IsolateOrigins,site-per-process,SpareRendererForSitePerProcess',
  '--enable-features=NetworkServiceInProcess2',
]

const VIEWPORT = { width: 1280, height: 900 }

/**
 * The one page that all tests of a process look at, one after another: a page in a process of its
 * own costs as much processor time as all that a test does with it.
 */
export class Tab {
  readonly #browser: Browser
  #context: BrowserContext | null = null
  /** Holds the zone that a test has set. */
  #zone: CDPSession | null = null

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  static async open(): Promise<Tab> {
    return new Tab(await chromium.launch({ executablePath: CHROMIUM, args: QUIET }))
  }

  /** The page as a test finds it: blank, with nothing set and nothing stored. */
  async page(): Promise<Page> {
    this.#context ??= await this.#browser.newContext({
      viewport: VIEWPORT,
      reducedMotion: 'reduce',
      // A quarter of the pixels: painting all of them took a tenth of the processor time of these
      // tests.
      deviceScaleFactor: 0.5,
      // Each new server would compress every file anew; test/server/http/dashboard-files.test.ts
      // has it.
      extraHTTPHeaders: { 'accept-encoding': 'identity' },
    })
    const [page = await this.#context.newPage()] = this.#context.pages()
    page.setDefaultTimeout(15_000)
    return page
  }

  /** Gives the browser another time zone than the machine's. */
  async setTimeZone(page: Page, timezoneId: string): Promise<void> {
    this.#zone = await page.context().newCDPSession(page)
    await this.#zone.send('Emulation.setTimezoneOverride', { timezoneId })
  }

  /** Undoes what a test did around the page. */
  async #undo(page: Page): Promise<void> {
    page.removeAllListeners()
    await page.unrouteAll({ behavior: 'ignoreErrors' })
    await this.#zone?.detach()
    this.#zone = null
    if (page.viewportSize()?.width !== VIEWPORT.width) await page.setViewportSize(VIEWPORT)
    await page.emulateMedia({ colorScheme: null, media: null })
  }

  /** Undoes what a test did to the page, and forgets what this server stored in it. */
  async clear(origin?: string): Promise<void> {
    const page = await this.page()
    await this.#undo(page)
    await page.goto('about:blank')
    if (origin === undefined) return
    const session = await page.context().newCDPSession(page)
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' })
    await session.detach()
  }

  /** Undoes what a test did, and leaves the page where it is for the next one. */
  async tidy(): Promise<void> {
    const page = await this.page()
    await this.#undo(page)
    await page.mouse.move(0, 0)
    await page.evaluate(() => {
      // A blank page has no storage.
      if (location.protocol === 'http:') localStorage.clear()
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
      scrollTo(0, 0)
      for (const menu of document.querySelectorAll('details')) menu.open = false
    })
  }

  /** For what can't be undone: the next test has a page of its own. */
  async discard(): Promise<void> {
    await this.#context?.close()
    this.#context = null
  }

  async close(): Promise<void> {
    await this.#browser.close()
  }
}
