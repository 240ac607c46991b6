/// <reference lib="dom" />
// Opens the dashboard in a fresh Chromium profile, and says when its first chart was drawn and what it fetched for it.
import { chromium } from 'playwright-core'
import { answer, configuration } from './support.mjs'

const { url, executablePath } = configuration
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
  ],
})
try {
  // Once before, so that the browser itself has started; a context of its own has no cache of it.
  await open()
  answer(await open())
} finally {
  await browser.close()
}

async function open() {
  const context = await browser.newContext()
  const page = await context.newPage()
  const network = await context.newCDPSession(page)
  let bytes = 0
  network.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
  })
  await network.send('Network.enable')
  await page.goto(`${url}/?range=30d`)
  const firstChartMs = await page.evaluate(async () => {
    for (;;) {
      const canvas = document.querySelector('.uplot canvas')
      if (canvas instanceof HTMLCanvasElement && isDrawn(canvas)) return performance.now()
      await new Promise((resolve) => requestAnimationFrame(resolve))
    }

    /** @param {HTMLCanvasElement} canvas */
    function isDrawn(canvas) {
      if (canvas.width === 0 || canvas.height === 0) return false
      const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data
      return pixels?.some((value) => value !== 0) === true
    }
  })
  // A stream of new rows stays open for good, so that the network is never idle: the list is the last that comes.
  await page.waitForSelector('tbody tr[data-id]')
  await context.close()
  return { firstChart: firstChartMs, bytes: bytes / 1000 }
}
