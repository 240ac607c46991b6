/**
 * Closes a menu with Escape, or when the focus leaves it.
 *
 * @param {HTMLDetailsElement} menu
 */
export function closeWhenLeft(menu) {
  closeWithEscape(menu)
  menu.addEventListener('focusout', ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node && menu.contains(relatedTarget))) menu.open = false
  })
}

/**
 * Closes a menu with Escape, unless that has closed a list within it.
 *
 * @param {HTMLDetailsElement} menu
 */
export function closeWithEscape(menu) {
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.defaultPrevented || !menu.open) return
    menu.open = false
    menu.querySelector('summary')?.focus()
  })
}
