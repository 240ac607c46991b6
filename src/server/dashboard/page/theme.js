import { byId } from './dom.js'

/** @typedef {'auto' | 'light' | 'dark'} Theme auto: as the system says */

const ORDER = /** @type {const} */ (['auto', 'light', 'dark'])
const NAMES = { auto: 'as the system', light: 'light', dark: 'dark' }

/**
 * Starts the button that goes through the themes.
 *
 * @param {() => void} onChange called when the colours have changed
 */
export function startTheme(onChange) {
  const toggle = byId('theme', HTMLButtonElement)
  const show = () => {
    const theme = currentTheme()
    toggle.setAttribute('aria-label', `Theme: ${NAMES[theme]}. Change it`)
    toggle.title = `Theme: ${NAMES[theme]}`
  }
  toggle.addEventListener('click', () => {
    choose(nextTheme())
    show()
    onChange()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange)
  // Paper is light: styles/print.css has its colours.
  matchMedia('print').addEventListener('change', onChange)
  show()
}

/** @returns {Theme} */
function currentTheme() {
  const theme = document.documentElement.dataset['theme']
  return theme === 'light' || theme === 'dark' ? theme : 'auto'
}

/** The next theme that looks different, so that no click seems to do nothing. */
function nextTheme() {
  const isSystemDark = matchMedia('(prefers-color-scheme: dark)').matches
  const order = isSystemDark ? /** @type {const} */ (['auto', 'light', 'dark']) : ['auto', 'dark', 'light']
  return order[(order.indexOf(currentTheme()) + 1) % ORDER.length] ?? 'auto'
}

/** @param {string} theme */
function choose(theme) {
  if (theme === 'auto') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  try {
    if (theme === 'auto') localStorage.removeItem('theme')
    else localStorage.setItem('theme', theme)
  } catch {
    // Storage may be forbidden: the choice then lasts until the page is left.
  }
}
