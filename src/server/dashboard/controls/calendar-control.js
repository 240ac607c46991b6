import { serverNow } from '../api/clock.js'
import { byId, element, option } from '../page/dom.js'
import { DEFAULTS } from '../page/page-state.js'
import { calendarOf } from '../page/time-window.js'
import { monthOf } from '../page/window-before.js'
import { calendarPeriod, localTime } from '../page/zone.js'

/** How many months before this one are offered by their names. */
const MONTHS = 12

/** The select for a day or month of the calendar. */
export class CalendarControl {
  #select = byId('calendar', HTMLSelectElement)
  #months = element('optgroup')

  /** @param {PageStore} store */
  constructor(store) {
    this.#months.label = 'Month'
    this.#select.append(this.#months)
    this.#select.addEventListener('change', () => {
      const { value } = this.#select
      const bounds = { since: null, until: null, before: null }
      // A month by its name has bounds, as if its address had been opened.
      if (/^\d/.test(value)) store.update({ ...bounds, range: DEFAULTS.range, since: value, until: value })
      else store.update({ ...bounds, range: value || DEFAULTS.range })
    })
  }

  /**
   * Shows the day or month that a window is, if it is one.
   *
   * @param {WindowState} state
   */
  show(state) {
    const value = state.since === null && calendarOf(state.range) !== undefined ? state.range : monthOf(state)
    const months = Array.from({ length: MONTHS }, (_, index) => {
      const { startMs } = calendarPeriod('month', serverNow(), index + 1)
      return localTime(new Date(startMs).toISOString()).slice(0, 7)
    })
    if (/^\d/.test(value) && !months.includes(value)) months.push(value)
    this.#months.replaceChildren(...months.sort().reverse().map(monthOption))
    this.#select.value = value
    this.#select.classList.toggle('is-set', value !== '')
  }
}

/** @param {string} month `2026-10` */
function monthOption(month) {
  const date = new Date(`${month}-01`)
  return option(month, date.toLocaleDateString('en-US', { month: 'long', year: 'numeric', timeZone: 'UTC' }))
}
