import { byId } from './dom.js'
import { remember } from './memory.js'

/** @typedef {'auto' | 'light' | 'dark'} Theme auto: the system's theme */

const NAMES = { auto: 'same as the system', light: 'light', dark: 'dark' }

/**
 * Starts the button that switches between the themes.
 *
 * @param {() => void} onChange called when the colours have changed
 */
export function startTheme(onChange) {
  const toggle = byId('theme', HTMLButtonElement)
  const show = () => {
    const theme = currentTheme()
    toggle.setAttribute('aria-label', `Theme: ${NAMES[theme]}. Switch to the next one`)
    toggle.title = `Theme: ${NAMES[theme]}`
  }
  toggle.addEventListener('click', () => {
    choose(nextTheme())
    show()
    onChange()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange)
  // Printing uses the light colours of styles/print.css.
  matchMedia('print').addEventListener('change', onChange)
  show()
}

/** @returns {Theme} */
function currentTheme() {
  const theme = document.documentElement.dataset['theme']
  return theme === 'light' || theme === 'dark' ? theme : 'auto'
}

/**
 * Returns the next theme. The one after the system's looks different, so that each click has an
 * effect.
 */
function nextTheme() {
  const isSystemDark = matchMedia('(prefers-color-scheme: dark)').matches
  const order = isSystemDark ? ['auto', 'light', 'dark'] : ['auto', 'dark', 'light']
  return order[(order.indexOf(currentTheme()) + 1) % order.length] ?? 'auto'
}

/** @param {string} theme */
function choose(theme) {
  if (theme === 'auto') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  remember('theme', theme === 'auto' ? null : theme)
}
