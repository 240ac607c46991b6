import { byId } from '../page/dom.js'
import { browserZone, rememberZone, zoneCity, zoneName } from '../page/zone.js'

/**
 * The button that switches between UTC and this browser's zone, and the page's note on the zone.
 */
export class ZoneControl {
  #toggle = byId('zone', HTMLButtonElement)

  /** @param {import('../page/page-state.js').PageStore} store */
  constructor(store) {
    this.#toggle.addEventListener('click', () => {
      const timezone = store.state.timezone === '' ? browserZone() : ''
      rememberZone(timezone)
      store.update({ timezone })
    })
  }

  /** @param {import('../page/page-state.js').PageState} state */
  show({ timezone }) {
    const other = timezone === '' ? browserZone() : 'UTC'
    this.#toggle.hidden = other === ''
    this.#toggle.textContent = zoneCity()
    this.#toggle.title = `Times are in ${zoneName()}. Switch to ${other}`
    this.#toggle.setAttribute('aria-label', this.#toggle.title)
    byId('zone-note', HTMLElement).textContent =
      zoneName() === 'UTC' ? 'All times are UTC.' : `All times are in ${zoneName()}.`
  }
}
