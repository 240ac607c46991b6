/**
 * Closes a menu with Escape, or when the focus leaves it.
 *
 * @param {HTMLDetailsElement} menu
 */
export function closeWhenLeft(menu) {
  menu.addEventListener('focusout', ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node && menu.contains(relatedTarget))) menu.open = false
  })
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !menu.open) return
    menu.open = false
    menu.querySelector('summary')?.focus()
  })
}
