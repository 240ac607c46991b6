import { shownMoment } from '../api/clock.js'
import { byId } from '../page/dom.js'
import { formatDay } from '../page/format.js'
import { endFromInput, endOf, endToInput, fromInput, toInput } from '../page/time-window.js'
import { localTime, zoneName } from '../page/zone.js'

const DAY_MS = 86_400_000

/** The form for a window with bounds that the user types. */
export class CustomWindow {
  #form = byId('custom', HTMLFormElement)
  #since = inputOf(this.#form, 'since')
  #end = inputOf(this.#form, 'until')

  /** @param {PageStore} store */
  constructor(store) {
    this.store = store
    this.#form.addEventListener('submit', (event) => this.#onSubmit(event))
    this.#form.addEventListener('input', () => this.#sayEnd())
  }

  /**
   * @param {PageState} state
   * @param {boolean} isTyped whether no other control shows these bounds
   */
  show({ since, until, before }, isTyped) {
    this.#form.hidden = since === null || !isTyped
    if (since === null) return
    this.#since.value = toInput(since, 'start')
    const end = endOf({ until, before })
    this.#end.value = endToInput(end ?? shownMoment())
    // The end in an address may be one that can't be typed, such as half a second: it is shown as
    // text.
    this.#sayEnd(end === null || Number.isNaN(end) ? undefined : new Date(end).toISOString())
  }

  /** Opens the form. It begins with the last 24 hours. */
  open() {
    this.#form.hidden = false
    if (this.#since.value !== '') return
    this.#since.value = toInput(new Date(shownMoment() - DAY_MS).toISOString(), 'start')
    this.#end.value = endToInput(shownMoment())
    this.#sayEnd()
  }

  /** @param {SubmitEvent} event */
  #onSubmit(event) {
    event.preventDefault()
    const since = fromInput(this.#since.value)
    const before = endFromInput(this.#end.value)
    const isOrdered = since !== null && before !== null && since < before
    byId('custom-problem', HTMLElement).textContent = isOrdered ? '' : 'The end must be after the beginning.'
    if (isOrdered) this.store.update({ since, until: null, before })
  }

  /**
   * Shows when the window ends, because a time with seconds doesn't say whether that second is
   * included.
   *
   * @param {string | null} before
   */
  #sayEnd(before = endFromInput(this.#end.value)) {
    byId('custom-end', HTMLElement).textContent =
      before === null
        ? zoneName()
        : `${zoneName()}, everything before ${formatDay(before)} ${localTime(before).slice(11, before.endsWith('.000Z') ? 19 : 23)}`
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 */
function inputOf(form, name) {
  const input = form.elements.namedItem(name)
  if (!(input instanceof HTMLInputElement)) throw new Error(`the form has no field ${name}`)
  return input
}
