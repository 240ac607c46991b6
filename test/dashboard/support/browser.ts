import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Debian's, or whatever CHROMIUM names. */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
export const hasBrowser = existsSync(CHROMIUM)
if (!hasBrowser)
  console.warn(`Tests of the dashboard are skipped: there is no ${CHROMIUM} (apt-get install chromium)`)

const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: QUIET })
}
