/**
 * Returns what this browser remembers; null if it remembers nothing. Storage may be forbidden, and
 * Node has none.
 *
 * @param {string} key
 */
export function remembered(key) {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

/**
 * Remembers a choice. If storage is forbidden, the choice lasts until the page is left.
 *
 * @param {string} key
 * @param {string | null} value null: the default
 */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // Nothing can be done.
  }
}
