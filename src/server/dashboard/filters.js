import { ask } from './api.js'
import { button, byId, element, setLabel } from './dom.js'
import { formatCompact, formatSpan } from './format.js'
import { windowQuery } from './questions.js'
import { beforeName, fromInput, isRange, toInput } from './time-window.js'

/**
 * @typedef {import('./page-state.js').PageState} PageState
 * @typedef {import('./page-state.js').PageStore} PageStore
 * @typedef {import('../../queries/index.js').Stats} Stats
 */

/** A provider that is new may be missing for this long. */
const CHOICES_KEPT_MS = 60_000

/** The controls that hold for the whole page: window, model, provider, labels. */
export class Filters {
  #model = byId('model', HTMLSelectElement)
  #provider = byId('provider', HTMLSelectElement)
  #tier = byId('tier', HTMLSelectElement)
  #custom = byId('custom', HTMLFormElement)
  #label = byId('label', HTMLInputElement)
  #choicesOf = ''
  #choicesAt = 0

  /** @param {PageStore} store */
  constructor(store) {
    this.store = store
    byId('ranges', HTMLFieldSetElement).addEventListener('change', (event) => this.#onRange(event))
    this.#custom.addEventListener('submit', (event) => this.#onCustom(event))
    this.#model.addEventListener('change', () => store.update({ model: this.#model.value }))
    this.#provider.addEventListener('change', () => store.update({ provider: this.#provider.value }))
    this.#tier.addEventListener('change', () => this.#setLabel('tier', this.#tier.value))
    byId('label-form', HTMLFormElement).addEventListener('submit', (event) => this.#onLabel(event))
    byId('clear-scope', HTMLButtonElement).addEventListener('click', () =>
      store.update({ model: '', provider: '', labels: {} }),
    )
    byId('by', HTMLFieldSetElement).addEventListener('change', () =>
      store.update({ by: checkedOf('by') === 'provider' ? 'provider' : 'model' }),
    )
    this.show(store.state)
  }

  /** @param {PageState} state */
  show(state) {
    check('range', state.since === null ? state.range : 'custom')
    check('by', state.by)
    this.#custom.hidden = state.since === null
    if (state.since !== null) this.#fillCustom(state.since, state.until ?? new Date().toISOString())
    choose(this.#model, state.model)
    choose(this.#provider, state.provider)
    choose(this.#tier, state.labels['tier'] ?? '')
    this.#showChips(state.labels)
    const isSet = state.model !== '' || state.provider !== '' || Object.keys(state.labels).length > 0
    byId('clear-scope', HTMLButtonElement).hidden = !isSet
  }

  /** @param {Stats} stats of the window, with its models */
  showAnswer(stats) {
    byId('window-text', HTMLElement).textContent = formatSpan(stats.since, stats.until)
    byId('window-before', HTMLElement).textContent = `, against ${beforeName(this.store.state)}`
    fill(this.#model, stats.models ?? {}, this.store.state.model)
  }

  /**
   * What there is to choose from, besides models.
   *
   * @param {PageState} state
   * @throws {import('./api.js').ApiError}
   */
  async loadChoices(state) {
    const window = windowQuery(state)
    const isKnown = this.#choicesOf === window.toString() && Date.now() - this.#choicesAt < CHOICES_KEPT_MS
    if (isKnown) return
    const [providers, tiers] = await Promise.all(
      ['provider', 'tier'].map((group) => {
        const query = new URLSearchParams(window)
        query.set('group_by', group)
        return /** @type {Promise<Stats>} */ (ask('v1/stats', query))
      }),
    )
    this.#choicesOf = window.toString()
    this.#choicesAt = Date.now()
    const { unknown: _without, ...named } = providers?.providers ?? {}
    fill(this.#provider, named, this.store.state.provider)
    const { unknown: _untiered, ...withRequests } = tiers?.tiers ?? {}
    fill(this.#tier, withRequests, this.store.state.labels['tier'] ?? '')
    // Who sets no tiers is not asked for one.
    const isUsed = Object.values(withRequests).some(({ counts }) => counts.total > 0)
    byId('tier-field', HTMLElement).hidden = !isUsed && this.#tier.value === ''
  }

  /** @param {Event} event */
  #onRange(event) {
    const { target } = event
    if (!(target instanceof HTMLInputElement)) return
    if (isRange(target.value)) return this.store.update({ range: target.value, since: null, until: null })
    this.#custom.hidden = false
    if (inputOf(this.#custom, 'since').value === '') {
      this.#fillCustom(new Date(Date.now() - 86_400_000).toISOString(), new Date().toISOString())
    }
  }

  /** @param {SubmitEvent} event */
  #onCustom(event) {
    event.preventDefault()
    const since = fromInput(inputOf(this.#custom, 'since').value)
    const until = fromInput(inputOf(this.#custom, 'until').value)
    const isOrdered = since !== null && until !== null && since < until
    byId('custom-problem', HTMLElement).textContent = isOrdered ? '' : 'The end must be after the beginning.'
    if (isOrdered) this.store.update({ since, until })
  }

  /** @param {SubmitEvent} event */
  #onLabel(event) {
    event.preventDefault()
    const [name = '', ...value] = this.#label.value.split('=')
    if (name.trim() === '' || value.length === 0) return
    this.#label.value = ''
    this.#setLabel(name.trim(), value.join('=').trim())
  }

  /**
   * @param {string} name
   * @param {string} value empty: no longer asked for
   */
  #setLabel(name, value) {
    const { [name]: _old, ...others } = this.store.state.labels
    this.store.update({ labels: value === '' ? others : { ...others, [name]: value } })
  }

  /** @param {Record<string, string>} labels */
  #showChips(labels) {
    const chips = Object.entries(labels)
      .filter(([name]) => name !== 'tier')
      .map(([name, value]) => {
        const remove = button('×', () => this.#setLabel(name, ''))
        setLabel(remove, `Remove ${name}=${value}`)
        return element('li', 'chip', `${name}=${value}`, remove)
      })
    byId('chips', HTMLElement).replaceChildren(...chips)
  }

  /**
   * @param {string} since
   * @param {string} until
   */
  #fillCustom(since, until) {
    inputOf(this.#custom, 'since').value = toInput(since)
    inputOf(this.#custom, 'until').value = toInput(until)
  }
}

/**
 * A select's choices: those with most requests first. What is chosen stays one, even when it is not among them.
 *
 * @param {HTMLSelectElement} select
 * @param {Record<string, { counts: { total: number } }>} groups
 * @param {string} chosen
 */
function fill(select, groups, chosen) {
  // A list that is open in front of somebody doesn't change.
  if (document.activeElement === select && select.options.length > 1) return
  const [all] = select.options
  const options = Object.entries(groups)
    .sort(([, a], [, b]) => b.counts.total - a.counts.total)
    .map(([name, { counts }]) => choiceOf(name, ` (${formatCompact(counts.total)})`))
  select.replaceChildren(...(all === undefined ? [] : [all]), ...options)
  choose(select, chosen)
}

/**
 * @param {string} name
 * @param {string} [aside]
 */
function choiceOf(name, aside = '') {
  const option = element('option', '', name, aside)
  option.value = name
  return option
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} value
 */
function choose(select, value) {
  // The server doesn't tell case apart.
  const known = [...select.options].find((option) => option.value.toLowerCase() === value.toLowerCase())
  if (known === undefined) select.append(choiceOf(value))
  select.value = known?.value ?? value
  select.classList.toggle('is-set', value !== '')
}

/**
 * @param {string} name
 * @param {string} value
 */
function check(name, value) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) {
    if (input instanceof HTMLInputElement) input.checked = input.value === value
  }
}

/** @param {string} name */
function checkedOf(name) {
  const input = document.querySelector(`input[name="${name}"]:checked`)
  return input instanceof HTMLInputElement ? input.value : ''
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
