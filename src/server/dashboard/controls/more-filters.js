import { byId } from '../page/dom.js'
import { closeWithEscape } from '../page/menu.js'
import { FILTERS } from '../page/page-state.js'
import { NO_POLICY } from './chips.js'
import { NameField } from './name-field.js'

/** The menu with the less frequent filters. The names of its fields are those of the filters. */
export class MoreFilters {
  #menu = byId('more', HTMLDetailsElement)
  #form = byId('more-form', HTMLFormElement)
  #policy

  /** @param {PageStore} store */
  constructor(store) {
    this.store = store
    this.#policy = new NameField('policy', {
      dimension: 'policy',
      all: 'All policies',
      others: [{ text: NO_POLICY, choose: () => store.update({ policy: '', without_policy: 'true' }) }],
      onChoose: (policy) => store.update({ policy, without_policy: '' }),
    })
    this.#form.addEventListener('change', ({ target }) => this.#onChange(target))
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#menu.open = false
    })
    closeWithEscape(this.#menu)
    document.addEventListener('pointerdown', ({ target }) => {
      if (target instanceof Node && !this.#menu.contains(target)) this.#menu.open = false
    })
  }

  /** @param {PageState} state */
  show(state) {
    const isWithoutPolicy = state.policy === '' && state.without_policy === 'true'
    this.#policy.show(isWithoutPolicy ? NO_POLICY : state.policy)
    for (const { field, name } of [...this.#form.elements].flatMap(filterField)) {
      if (field === document.activeElement) continue
      field.value = name === 'unpriced' && state.unpriced === 'true' ? 'both' : state[name]
      field.classList.toggle('is-set', state[name] !== '')
    }
  }

  /** @param {EventTarget | null} target */
  #onChange(target) {
    for (const { field, name } of filterField(target)) {
      if (field.reportValidity()) this.store.update({ [name]: field.value.trim() })
    }
  }
}

/**
 * Returns an element with the filter that it is a field for; empty if it isn't a field for one.
 *
 * @param {EventTarget | null} element
 */
function filterField(element) {
  const isField = element instanceof HTMLInputElement || element instanceof HTMLSelectElement
  const name = isField ? FILTERS.find((filter) => filter === element.name) : undefined
  return isField && name !== undefined ? [{ field: element, name }] : []
}
