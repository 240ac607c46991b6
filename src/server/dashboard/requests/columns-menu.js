import { byId, element } from '../page/dom.js'
import { closeWhenLeft } from '../page/menu.js'
import { formatColumns } from './columns.js'

/** The menu in which the columns of the list are chosen. */
export class ColumnsMenu {
  #menu = byId('columns-menu', HTMLDetailsElement)
  #items = element('div', 'menu-items')
  #keys = ''

  /** @param {PageStore} store */
  constructor(store) {
    this.#menu.append(this.#items)
    this.#items.addEventListener('change', () => {
      const boxes = [...this.#items.querySelectorAll('input')]
      const keys = boxes.filter(({ checked }) => checked).map(({ value }) => value)
      store.update({ columns: formatColumns(keys) }, { replace: true })
    })
    closeWhenLeft(this.#menu)
  }

  /** @param {readonly { key: string, title: string, isShown: boolean }[]} offered */
  show(offered) {
    const keys = offered.map(({ key }) => key).join()
    const boxes = [...this.#items.querySelectorAll('input')]
    for (const [index, box] of boxes.entries()) box.checked = offered[index]?.isShown ?? false
    // The boxes aren't replaced without need: removing the one with the focus closes the menu.
    if (keys === this.#keys) return
    this.#keys = keys
    const made = offered.map(({ key, title, isShown }) => {
      const box = element('input')
      box.type = 'checkbox'
      box.value = key
      box.checked = isShown
      return element('label', '', box, title)
    })
    this.#items.replaceChildren(...made)
  }
}
