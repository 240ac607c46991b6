import { byId } from '../page/dom.js'

/** The switch between currencies, which is visible only if the window has costs in both. */
export class CurrencyControl {
  #switch = byId('currencies', HTMLFieldSetElement)

  /** @param {PageStore} store */
  constructor(store) {
    this.store = store
    this.#switch.addEventListener('change', ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return
      const { sort } = store.state
      // A list that is sorted by cost stays sorted by cost.
      store.update({
        currency: target.value,
        sort: sort.startsWith('cost_') ? `cost_${target.value}` : sort,
      })
    })
  }

  /** @param {Stats} stats of the window */
  showAnswer({ currency = 'sats', currencies = [] }) {
    // If the chosen currency isn't one of the window's, the user must be able to leave it.
    const { currency: asked } = this.store.state
    const isOther = asked !== '' && currencies.length > 0 && !currencies.includes(currency)
    this.#switch.hidden = currencies.length < 2 && !isOther
    for (const input of this.#switch.querySelectorAll('input')) input.checked = input.value === currency
  }
}
