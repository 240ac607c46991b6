// Takes the pictures of docs/images: the real `serve` on the real trace, its times moved so that it
// ends now, and priced by a price book and an exchange rate an hour. The hour before has nine of ten
// of the trace's requests, so that there is something to compare with.
//
//   npm run screenshots
//
// CHROMIUM names another browser; FONTCONFIG_FILE other fonts, where the machine has none that
// people's have.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { openJournal } from 'request-journal'

const root = fileURLToPath(new URL('../..', import.meta.url))
const TRACE = join(root, '../shared/tools/azure-trace-to-events.mjs')
const IMAGES = join(root, 'docs/images')
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Dollars a million tokens, in and out. */
const PRICES = { 'azure-code': ['2.5', '10'], 'azure-conversation': ['0.6', '2.4'] }
const TIERS = { 'azure-code': 'frontier', 'azure-conversation': 'standard' }

if (!existsSync(TRACE)) throw new Error(`the trace is missing: ${TRACE}`)
const directory = mkdtempSync(join(tmpdir(), 'request-journal-screenshots-'))
try {
  const journal = join(directory, 'journal')
  appendTrace(journal)
  await withService(journal, join(directory, 'requests.db'), takeAll)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/** @param {string} directory */
function appendTrace(directory) {
  const text = execFileSync(process.execPath, [TRACE], { encoding: 'utf8', maxBuffer: 1 << 28 })
  const trace = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const laterMs = Date.now() - Date.parse(trace.at(-1).timestamp)
  const journal = openJournal({ directory })
  for (const event of priceEvents()) journal.append(event)
  const append = (event, ms) => {
    const timestamp = new Date(Date.parse(event.timestamp) + ms).toISOString()
    const costs = { cost_sats: null, provider_cost_sats: null }
    journal.append({ ...event, ...costs, timestamp, labels: { tier: TIERS[event.model] } })
  }
  for (const [index, event] of trace.entries()) {
    // Its other copy has the same id.
    if (index % 10 !== 0) append({ ...event, correlation_id: undefined }, laterMs - HOUR_MS)
  }
  for (const event of trace) append(event, laterMs)
  void journal.close()
}

function* priceEvents() {
  const currency = 'usd'
  for (const [model, [input, output]] of Object.entries(PRICES)) {
    const valid_from = new Date(Date.now() - 30 * DAY_MS).toISOString()
    const per_million = { input, output }
    yield {
      type: 'price_set',
      model,
      provider: null,
      valid_from,
      currency,
      per_million,
      source: 'price list',
    }
  }
  for (let hour = 0; hour < 24; hour++) {
    const observed_at = new Date(Date.now() - hour * HOUR_MS).toISOString()
    yield { type: 'exchange_rate_observed', observed_at, usd_per_btc: '91250.5', source: 'exchange' }
  }
}

/**
 * @param {string} journal
 * @param {string} database
 * @param {(url: string) => Promise<void>} work
 */
async function withService(journal, database, work) {
  const options = ['--journal', journal, '--db', database, '--port', '0', '--log-level', 'warn']
  const service = spawn(
    process.execPath,
    [join(root, 'dist/cli/main.js'), 'serve', '--project', ...options],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  try {
    const [url] = await once(createInterface(service.stdout), 'line')
    let health
    do health = await (await fetch(`${url}/healthz`)).json()
    while (health.lag_bytes !== 0)
    await work(url)
  } finally {
    service.kill()
    await once(service, 'exit')
  }
}

/** @param {string} url */
async function takeAll(url) {
  mkdirSync(IMAGES, { recursive: true })
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--font-render-hinting=none'],
  })
  await take(
    browser,
    'dashboard-light',
    { width: 1320, height: 1053, colorScheme: 'light' },
    `${url}/?range=1h&currency=usd`,
  )
  await take(
    browser,
    'dashboard-dark',
    { width: 1320, height: 960, colorScheme: 'dark' },
    `${url}/?range=1h&by=provider`,
  )
  await take(
    browser,
    'dashboard-phone',
    { width: 390, height: 1900, colorScheme: 'light' },
    `${url}/?range=1h`,
  )
  await take(
    browser,
    'request-detail',
    { width: 1320, height: 960, colorScheme: 'light' },
    `${url}/?range=1h&model=azure-code&sort=cost_sats`,
    async (page) => {
      await page.locator('[data-id]').nth(2).click()
      await page.locator('#detail .line').waitFor()
    },
  )
  await browser.close()
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} name
 * @param {{ width: number, height: number, colorScheme: 'light' | 'dark' }} look
 * @param {string} url
 * @param {(page: import('playwright-core').Page) => Promise<void>} [act]
 */
async function take(browser, name, { width, height, colorScheme }, url, act) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' })
  await page.goto(url)
  await page.locator('.chart[aria-busy="false"] canvas').last().waitFor()
  await page.locator('#live-state:not([data-state="connecting"])').waitFor()
  await page.locator('.tile .delta span').first().waitFor({ state: 'attached' })
  await act?.(page)
  const path = join(IMAGES, `${name}.png`)
  await page.screenshot({ path })
  await page.close()
  console.log(`${path}: ${Math.round(statSync(path).size / 1000)} kB`)
}
