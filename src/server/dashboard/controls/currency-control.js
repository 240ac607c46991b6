import { byId } from '../page/dom.js'

/**
 * @typedef {import('../../../queries/index.js').Stats} Stats
 * @typedef {import('../../../queries/index.js').Currency} Currency
 */

/** The switch between currencies, which is there only while the window has costs in both. */
export class CurrencyControl {
  #switch = byId('currencies', HTMLFieldSetElement)

  /** @param {import('../page/page-state.js').PageStore} store */
  constructor(store) {
    this.store = store
    this.#switch.addEventListener('change', ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return
      const { sort } = store.state
      // A list by cost stays one by cost.
      store.update({
        currency: target.value,
        sort: sort.startsWith('cost_') ? `cost_${target.value}` : sort,
      })
    })
  }

  /** @param {Stats} stats of the window */
  showAnswer({ currency = 'sats', currencies = [] }) {
    // One that was asked for can be left, whatever the window has.
    const { currency: asked } = this.store.state
    const isOther = asked !== '' && currencies.length > 0 && !currencies.includes(currency)
    this.#switch.hidden = currencies.length < 2 && !isOther
    for (const input of this.#switch.querySelectorAll('input')) input.checked = input.value === currency
  }
}
