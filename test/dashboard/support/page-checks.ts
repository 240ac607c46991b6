import type { Page } from 'playwright-core'

/** Roles of what people act on, as browsers tell them to screen readers. */
const CONTROLS = new Set([
  'button',
  'checkbox',
  'combobox',
  'DisclosureTriangle',
  'link',
  'radio',
  'searchbox',
  'spinbutton',
  'textbox',
])

/** The controls that a screen reader has no name for: their roles, with the HTML of each. */
export async function namelessControls(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  try {
    const { nodes } = await session.send('Accessibility.getFullAXTree')
    const nameless = nodes.filter(
      ({ ignored, role, name }) =>
        !ignored && CONTROLS.has(String(role?.value)) && String(name?.value ?? '').trim() === '',
    )
    return await Promise.all(
      nameless.map(async ({ role, backendDOMNodeId }) => {
        if (backendDOMNodeId === undefined) return String(role?.value)
        const { outerHTML } = await session.send('DOM.getOuterHTML', { backendNodeId: backendDOMNodeId })
        return `${role?.value}: ${outerHTML.slice(0, 120)}`
      }),
    )
  } finally {
    await session.detach()
  }
}

/** Texts with less contrast to what is painted under them than WCAG AA asks for. */
export async function faintTexts(page: Page, least = 4.5): Promise<string[]> {
  return await page.evaluate((least) => {
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    if (context === null) throw new Error('no canvas')
    const painted = (...colours: string[]) => {
      context.clearRect(0, 0, 1, 1)
      for (const colour of colours) {
        context.fillStyle = colour
        context.fillRect(0, 0, 1, 1)
      }
      return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
    }
    const luminance = (rgb: number[]) => {
      const [r = 0, g = 0, b = 0] = rgb.map((byte) => {
        const value = byte / 255
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const faint: string[] = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const [element, text] = [node.parentElement, node.textContent?.trim() ?? '']
      if (element === null || text === '' || !element.checkVisibility({ opacityProperty: true })) continue
      // What only screen readers are told is one pixel wide.
      if (element.closest('.unseen, .skip, :disabled, option') !== null) continue
      const grounds: string[] = []
      for (let at: Element | null = element; at !== null; at = at.parentElement) {
        grounds.unshift(getComputedStyle(at).backgroundColor)
      }
      const ground = painted('white', ...grounds)
      const colour = painted('white', ...grounds, getComputedStyle(element).color)
      const [a, b] = [luminance(ground), luminance(colour)]
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
      if (contrast < least) faint.push(`${contrast.toFixed(2)}: ${text.slice(0, 60)}`)
    }
    return faint
  }, least)
}

/**
 * How much has moved on the page since it was opened without anybody having done something, as
 * browsers measure it: 0 is nothing, and up to 0.1 counts as good. Names what moved.
 */
export async function layoutShifts(page: Page): Promise<{ score: number; moved: string[] }> {
  return await page.evaluate(async () => {
    type Shift = PerformanceEntry & { value: number; hadRecentInput: boolean; sources: { node?: Node }[] }
    const entries = await new Promise<Shift[]>((resolve) => {
      const observer = new PerformanceObserver((list) => {
        observer.disconnect()
        resolve(list.getEntries() as Shift[])
      })
      observer.observe({ type: 'layout-shift', buffered: true })
      // Without a shift nothing is ever observed: the entries come within two frames.
      requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve([]))))
    })
    const shifts = entries.filter(({ hadRecentInput }) => !hadRecentInput)
    const moved = shifts.flatMap(({ value, sources }) =>
      sources.map(({ node }) => {
        const element = node instanceof Element ? node : node?.parentElement
        return `${value.toFixed(4)} ${element?.tagName.toLowerCase()}#${element?.id}.${element?.className}`
      }),
    )
    return { score: shifts.reduce((sum, { value }) => sum + value, 0), moved }
  })
}
