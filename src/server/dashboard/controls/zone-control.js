import { byId, element, option } from '../page/dom.js'
import { remember } from '../page/memory.js'
import { browserZone, zoneName } from '../page/zone.js'

/** The select for the zone of the page's times, and the page's note on it. */
export class ZoneControl {
  #select = byId('zone', HTMLSelectElement)
  #others = element('optgroup')
  /** The last zone other than UTC; empty if there was none. */
  #last = browserZone()

  /** @param {PageStore} store */
  constructor(store) {
    this.store = store
    this.#others.label = 'Others'
    this.#select.append(option('UTC'))
    const own = browserZone()
    if (own !== '') this.#select.append(zoneOption(own, ' (this browser’s)'))
    this.#select.append(this.#others)
    // Hundreds of options: the first figures don't wait for them.
    for (const event of ['focus', 'pointerenter']) {
      this.#select.addEventListener(event, () => this.#offerAll(), { once: true })
    }
    this.#select.addEventListener('change', () => this.#choose(this.#select.value))
  }

  /** Switches between UTC and the last other zone, at first the browser's. */
  toggle() {
    this.#choose(zoneName() === 'UTC' ? this.#last : 'UTC')
  }

  /** Shows the zone of the page. */
  show() {
    const name = zoneName()
    if (name !== 'UTC') this.#last = name
    // There are more names than are listed, such as those of old.
    if (![...this.#select.options].some(({ value }) => value === name)) {
      this.#others.prepend(zoneOption(name))
    }
    this.#select.value = name
    byId('zone-note', HTMLElement).textContent =
      name === 'UTC' ? 'All times are UTC.' : `All times are in ${name}.`
  }

  #offerAll() {
    const names = Intl.supportedValuesOf('timeZone')
    this.#others.replaceChildren(...names.map((name) => zoneOption(name)))
    this.show()
  }

  /** @param {string} name empty: nothing changes */
  #choose(name) {
    if (name === '') return
    remember('timezone', name === 'UTC' ? null : name)
    this.store.update({ timezone: name === 'UTC' ? '' : name })
  }
}

/** @param {string} name */
function zoneOption(name, note = '') {
  return option(name, name.replaceAll('_', ' ') + note)
}
