import { ask } from '../api/api.js'
import { byId, element, visible } from '../page/dom.js'
import { formatCompact } from '../page/format.js'

/**
 * @typedef {object} Choice
 * @property {string} text
 * @property {string} [aside]
 * @property {() => void} [choose] left out if the text is only a note
 *
 * @typedef {object} NameFieldOptions
 * @property {string} dimension what the names are of: `model`, `label:tier`
 * @property {string} all the text for no choice: `All models`
 * @property {Choice[]} [others] choices that aren't names
 * @property {(name: string) => void} onChoose called with the name; with an empty one for no choice
 */

const TYPING_MS = 120
const LIMIT = 20

/** A field that completes names. However many names there are, the page asks for a few only. */
export class NameField {
  #input
  #list
  #shown = ''
  #asking = new AbortController()
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing
  /** @type {Choice[]} */
  #choices = []
  #active = -1
  /** The beginning of the names for which the list was made. */
  #prefix = ''

  /**
   * @param {string} id the field's; its list is `<id>-choices`
   * @param {NameFieldOptions} options
   */
  constructor(id, options) {
    this.options = options
    this.#input = byId(id, HTMLInputElement)
    this.#list = byId(`${id}-choices`, HTMLDivElement)
    this.#input.placeholder = options.all
    this.#input.addEventListener('focus', () => this.#input.select())
    this.#input.addEventListener('click', () => this.#open(''))
    this.#input.addEventListener('input', () => {
      clearTimeout(this.#typing)
      this.#typing = setTimeout(() => this.#open(this.#input.value.trim()), TYPING_MS)
    })
    this.#input.addEventListener('keydown', (event) => this.#onKey(event))
    this.#input.addEventListener('blur', () => this.#leave())
    // The field must keep the focus while somebody clicks in the list.
    this.#list.addEventListener('pointerdown', (event) => event.preventDefault())
    this.#list.addEventListener('click', ({ target }) => {
      const item = target instanceof Element ? target.closest('[role=option]') : null
      if (item !== null) this.#choose(this.#choices[[...this.#list.children].indexOf(item)])
    })
  }

  /** @param {string} text the choice; empty: none */
  show(text) {
    this.#shown = visible(text)
    this.#input.classList.toggle('is-set', text !== '')
    if (!this.#isOpen) this.#input.value = this.#shown
  }

  get #isOpen() {
    return !this.#list.hidden
  }

  /** @param {string} prefix */
  async #open(prefix) {
    const { dimension, all, others = [], onChoose } = this.options
    this.#asking.abort()
    this.#asking = new AbortController()
    const { signal } = this.#asking
    const listsAll = prefix === ''
    const first = listsAll ? [{ text: all, choose: () => onChoose('') }, ...others] : []
    try {
      const query = new URLSearchParams({ dimension, prefix, limit: String(LIMIT) })
      const { names, has_more: hasMore } = /** @type {NameList} */ (await ask('v1/names', query, signal))
      const found = names.map(({ name, requests }) => ({
        text: name,
        aside: formatCompact(requests),
        choose: () => onChoose(name),
      }))
      const rest = hasMore
        ? 'There are more: type the beginning of a name'
        : found.length > 0 || listsAll
          ? ''
          : 'No name begins with this'
      this.#show(prefix, [...first, ...found, ...(rest === '' ? [] : [{ text: rest }])])
      // Enter chooses the first name that begins as typed. In a list that was just opened, nothing
      // is marked.
      if (!listsAll && found.length > 0) this.#activate(0)
    } catch (error) {
      if (signal.aborted) return
      this.#show(prefix, [...first, { text: error instanceof Error ? error.message : String(error) }])
    }
  }

  /**
   * @param {string} prefix
   * @param {Choice[]} choices
   */
  #show(prefix, choices) {
    if (document.activeElement !== this.#input) return
    this.#choices = choices
    this.#prefix = prefix
    this.#active = -1
    this.#input.removeAttribute('aria-activedescendant')
    const items = choices.map(({ text, aside, choose }, index) => {
      const item = element('div', choose === undefined ? 'muted' : '', element('span', 'name', text))
      if (aside !== undefined) item.append(element('span', 'muted', aside))
      item.id = `${this.#list.id}-${index}`
      item.setAttribute('role', 'option')
      item.setAttribute('aria-selected', 'false')
      if (choose === undefined) item.setAttribute('aria-disabled', 'true')
      return item
    })
    this.#list.replaceChildren(...items)
    this.#list.hidden = false
    this.#input.setAttribute('aria-expanded', 'true')
  }

  /** @param {number} index */
  #activate(index) {
    this.#list.children[this.#active]?.setAttribute('aria-selected', 'false')
    this.#active = index
    const item = this.#list.children[index]
    item?.setAttribute('aria-selected', 'true')
    item?.scrollIntoView({ block: 'nearest' })
    if (item !== undefined) this.#input.setAttribute('aria-activedescendant', item.id)
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined) {
      const count = this.#choices.filter(({ choose }) => choose !== undefined).length
      // While nothing is marked, the arrow up marks the last choice.
      const from = this.#active === -1 && step === -1 ? 0 : this.#active
      if (!this.#isOpen) void this.#open('')
      else if (count > 0) this.#activate((from + step + count) % count)
    } else if (event.key === 'Enter') void this.#onEnter()
    else if (event.key === 'Escape' && this.#isOpen) this.#close()
    else return
    event.preventDefault()
  }

  /**
   * Chooses what is marked, or else what was typed: the server refuses a name that doesn't exist.
   */
  async #onEnter() {
    clearTimeout(this.#typing)
    const typed = this.#input.value.trim()
    if (typed === this.#shown && !this.#isOpen) return await this.#open('')
    // If somebody types fast, the list may still be for fewer characters.
    if (typed !== this.#shown && typed !== '' && typed !== this.#prefix) await this.#open(typed)
    const marked = this.#choices[this.#active]
    if (marked !== undefined) this.#choose(marked)
    else if (typed === this.#shown) this.#close()
    else this.#choose({ text: typed, choose: () => this.options.onChoose(typed) })
  }

  /** @param {Choice | undefined} choice */
  #choose(choice) {
    if (choice?.choose === undefined) return
    this.#close()
    choice.choose()
  }

  #leave() {
    clearTimeout(this.#typing)
    this.#close()
  }

  #close() {
    this.#asking.abort()
    this.#list.hidden = true
    this.#input.setAttribute('aria-expanded', 'false')
    this.#input.removeAttribute('aria-activedescendant')
    this.#input.value = this.#shown
  }
}
