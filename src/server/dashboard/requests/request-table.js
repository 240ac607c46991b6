import { button, byId, element } from '../page/dom.js'
import { DEFAULTS } from '../page/page-state.js'
import { zoneCity } from '../page/zone.js'
import { columnsFor } from './columns.js'
import { ColumnsMenu } from './columns-menu.js'
import { compareEntries } from './entry-order.js'
import { fillRow, requestRow, skeletonRows } from './request-row.js'

/**
 * The rows on the screen. Tab moves the focus to one of them, and arrow keys move it on from there.
 */
export class RequestTable {
  #body = byId('entries', HTMLTableSectionElement)
  #frame = byId('rows', HTMLElement)
  /** @type {Map<number, { row: HTMLTableRowElement, entry: RequestEntry }>} */
  #rows = new Map()
  #look = { currency: /** @type {Currency} */ ('sats'), columns: columnsFor(DEFAULTS, 'sats', []).shown }
  #menu

  /**
   * @param {object} hooks
   * @param {PageStore} hooks.store
   * @param {() => void} hooks.onRest called when somebody who was reading the list may have stopped
   */
  constructor({ store, onRest }) {
    this.store = store
    this.#menu = new ColumnsMenu(store)
    this.#giveRoles()
    this.#body.addEventListener('click', ({ target }) => this.#onClick(rowOf(target)))
    this.#body.addEventListener('keydown', (event) => this.#onKey(event))
    this.#body.addEventListener('focusin', ({ target }) => this.#makeReachable(rowOf(target)))
    this.#body.addEventListener('animationend', ({ target }) => rowOf(target)?.classList.remove('is-fresh'))
    this.#frame.addEventListener('pointerleave', onRest)
    this.#frame.addEventListener('focusout', onRest)
    addEventListener('scroll', onRest, { passive: true })
    this.showColumns()
    this.showSorting()
    this.#body.append(...skeletonRows(8, this.#look.columns))
  }

  /**
   * Sets the roles of the table: on a phone, screen readers wouldn't recognize its cards as one.
   */
  #giveRoles() {
    this.#body.closest('table')?.setAttribute('role', 'grid')
    for (const group of this.#frame.querySelectorAll('thead, tbody')) group.setAttribute('role', 'rowgroup')
    byId('columns', HTMLElement).setAttribute('role', 'row')
  }

  get size() {
    return this.#rows.size
  }

  /** @param {number} id */
  has(id) {
    return this.#rows.has(id)
  }

  /** The ids in the order of the rows. */
  get ids() {
    return [...this.#body.rows].map((row) => Number(row.dataset['id']))
  }

  /** The names of the labels that the rows have. */
  get labels() {
    const names = [...this.#rows.values()].flatMap(({ entry }) => Object.keys(entry.labels ?? {}))
    return [...new Set(names)].sort()
  }

  /** @param {boolean} isBusy */
  setBusy(isBusy) {
    this.#frame.setAttribute('aria-busy', String(isBusy))
  }

  /** Whether somebody points at a row, has focused one, or has scrolled into the list. */
  isBeingRead() {
    return (
      this.#body.matches(':hover') ||
      this.#body.querySelector('tr:focus-visible') !== null ||
      this.#body.getBoundingClientRect().top < 0
    )
  }

  /** @param {Currency} currency the currency in which costs are shown from now on */
  setCurrency(currency) {
    if (currency === this.#look.currency) return
    this.#look = { ...this.#look, currency }
    this.showColumns(true)
  }

  /**
   * Shows the columns that are chosen, or that the rows need.
   *
   * @param {boolean} [isOtherLook] whether what the columns show has changed too
   */
  showColumns(isOtherLook = false) {
    const entries = [...this.#rows.values()].map(({ entry }) => entry)
    const { shown, offered } = columnsFor(this.store.state, this.#look.currency, entries)
    this.#menu.show(offered)
    const keysOf = (/** @type {import('./columns.js').Column[]} */ columns) =>
      columns.map(({ key }) => key).join()
    if (!isOtherLook && keysOf(shown) === keysOf(this.#look.columns)) return
    this.#look = { ...this.#look, columns: shown }
    for (const { row, entry } of this.#rows.values()) fillRow(row, entry, this.#look)
    this.showSorting()
  }

  /** @param {RequestEntry[]} entries in order; they replace all rows */
  show(entries) {
    const hadFocus = this.#body.contains(document.activeElement)
    this.#rows.clear()
    this.#body.replaceChildren(...entries.map((entry) => this.#make(entry)))
    this.#makeReachable(this.#body.rows[0])
    if (hadFocus) this.focusFirst()
    this.showColumns()
    this.markOpen()
  }

  /**
   * @param {RequestEntry[]} entries that come after all others
   * @returns {HTMLTableRowElement | undefined} the first new row
   */
  append(entries) {
    const made = entries.filter(({ id }) => !this.#rows.has(id)).map((entry) => this.#make(entry))
    this.#body.append(...made)
    this.showColumns()
    return made[0]
  }

  /** @param {RequestEntry[]} entries each is inserted at its place in the order */
  insert(entries) {
    for (const entry of entries) {
      if (this.#rows.has(entry.id)) continue
      const next = [...this.#body.rows].find((row) => {
        const other = this.#rows.get(Number(row.dataset['id']))
        return other !== undefined && compareEntries(entry, other.entry, this.store.state) < 0
      })
      const row = this.#make(entry)
      row.classList.add('is-fresh')
      this.#body.insertBefore(row, next ?? null)
    }
    if (this.#body.querySelector('tr[tabindex="0"]') === null) this.#makeReachable(this.#body.rows[0])
    this.showColumns()
    this.markOpen()
  }

  /** @param {RequestEntry} entry it needn't have a row */
  change(entry) {
    const known = this.#rows.get(entry.id)
    if (known === undefined || JSON.stringify(known.entry) === JSON.stringify(entry)) return
    known.entry = entry
    fillRow(known.row, entry, this.#look)
    known.row.classList.add('is-fresh')
  }

  /** @param {(entry: RequestEntry) => boolean} isGone */
  removeWhere(isGone) {
    for (const { row, entry } of [...this.#rows.values()]) {
      if (!isGone(entry)) continue
      const next = row.nextElementSibling ?? row.previousElementSibling
      const hadFocus = row === document.activeElement
      this.#rows.delete(entry.id)
      row.remove()
      if (hadFocus && next instanceof HTMLElement) next.focus({ preventScroll: true })
    }
    if (this.#body.querySelector('tr[tabindex="0"]') === null) this.#makeReachable(this.#body.rows[0])
  }

  /** Follows a change of the page's state. */
  follow() {
    this.showColumns()
    this.showSorting()
    this.markOpen()
  }

  /** Marks the row whose detail is open. */
  markOpen() {
    for (const { row, entry } of this.#rows.values()) {
      row.classList.toggle('is-open', entry.id === this.store.state.request)
    }
  }

  focusFirst() {
    this.#body.rows[0]?.focus({ preventScroll: true })
  }

  /** @param {number} id */
  focus(id) {
    this.#rows.get(id)?.row.focus()
  }

  /** Shows the head, with an arrow at the column that the list is sorted by. */
  showSorting() {
    const { sort, order } = this.store.state
    const heads = this.#look.columns.map((column) => {
      const head = element('th', column.className)
      head.setAttribute('role', 'columnheader')
      head.scope = 'col'
      const title = column.sort === 'timestamp' ? `${column.title} (${zoneCity()})` : column.title
      if (column.sort === undefined) head.append(title)
      else {
        const isSorted = column.sort === sort
        head.setAttribute('aria-sort', isSorted ? (order === 'asc' ? 'ascending' : 'descending') : 'none')
        const arrow = element('span', 'arrow', isSorted ? (order === 'asc' ? '↑' : '↓') : '')
        arrow.setAttribute('aria-hidden', 'true')
        const { sort: by } = column
        const toggle = button(title, () =>
          this.store.update({ sort: by, order: isSorted && order === 'desc' ? 'asc' : 'desc' }),
        )
        toggle.dataset['sort'] = by
        toggle.append(arrow)
        head.append(toggle)
      }
      return head
    })
    const focused =
      document.activeElement instanceof HTMLElement ? document.activeElement.dataset['sort'] : undefined
    const columns = byId('columns', HTMLElement)
    columns.replaceChildren(...heads)
    const again = focused === undefined ? null : columns.querySelector(`button[data-sort="${focused}"]`)
    if (again instanceof HTMLElement) again.focus()
  }

  /** @param {RequestEntry} entry */
  #make(entry) {
    const row = requestRow(entry, this.#look)
    this.#rows.set(entry.id, { row, entry })
    return row
  }

  /** @param {HTMLTableRowElement | null} row */
  #onClick(row) {
    const selection = getSelection()
    // Somebody who has just selected text in the row wants to copy it.
    const isSelecting = row !== null && selection?.isCollapsed === false && selection.containsNode(row, true)
    if (!isSelecting) this.#open(row)
  }

  /** @param {HTMLTableRowElement | null} row */
  #open(row) {
    if (row?.dataset['id'] === undefined) return
    row.focus({ preventScroll: true })
    this.store.update({ request: Number(row.dataset['id']) })
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const row = rowOf(event.target)
    if (row === null || event.ctrlKey || event.metaKey || event.altKey) return
    const rows = this.#body.rows
    const index = row.sectionRowIndex
    const target = {
      ArrowDown: rows[index + 1],
      ArrowUp: rows[index - 1],
      Home: rows[0],
      End: rows[rows.length - 1],
      PageDown: rows[Math.min(index + 10, rows.length - 1)],
      PageUp: rows[Math.max(index - 10, 0)],
    }[event.key]
    if (target !== undefined) target.focus()
    else if (event.key === 'Enter') this.#open(row)
    else return
    event.preventDefault()
  }

  /** @param {HTMLTableRowElement | null | undefined} row */
  #makeReachable(row) {
    if (row == null) return
    for (const other of this.#body.querySelectorAll('tr[tabindex="0"]')) other.setAttribute('tabindex', '-1')
    row.tabIndex = 0
  }
}

/**
 * @param {EventTarget | null} target
 * @returns {HTMLTableRowElement | null}
 */
function rowOf(target) {
  return target instanceof Element ? target.closest('tr') : null
}
