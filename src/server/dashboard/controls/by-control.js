import { byId, element, option } from '../page/dom.js'

const LABEL = 'label:'

/** The select for what costs are grouped by: a column, or any label. */
export class ByControl {
  #select = byId('by', HTMLSelectElement)
  #labels = element('optgroup')

  /** @param {PageStore} store */
  constructor(store) {
    this.#labels.label = 'Label'
    this.#labels.hidden = true
    this.#select.append(this.#labels)
    this.#select.addEventListener('change', () => store.update({ by: this.#select.value }))
  }

  /** @param {PageState} state */
  show({ by }) {
    if (by.startsWith(LABEL)) this.offerLabels([by.slice(LABEL.length)])
    // If the name is invalid, the server says so.
    else if (!this.#has(by)) this.#select.append(option(by))
    this.#select.value = by
  }

  /** @param {Iterable<string>} names labels that requests have */
  offerLabels(names) {
    for (const name of names) {
      // The label `tier` is an option already.
      if (name === 'tier' || this.#has(LABEL + name)) continue
      this.#labels.append(option(LABEL + name, name))
      this.#labels.hidden = false
    }
  }

  /** Offers to group by journal, which is useful only if there are several. */
  offerJournal() {
    if (!this.#has('journal')) this.#labels.before(option('journal', 'Journal'))
  }

  /** @param {string} value */
  #has(value) {
    return [...this.#select.options].some((known) => known.value === value)
  }
}
