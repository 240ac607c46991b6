import { ask } from './api.js'
import { shownMoment } from './clock.js'
import { CustomWindow } from './custom-window.js'
import { button, byId, element, setLabel } from './dom.js'
import { formatCompact, formatSpan } from './format.js'
import { isFiltered, NO_FILTERS } from './page-state.js'
import { windowQuery } from './questions.js'
import { beforeName } from './time-window.js'

/**
 * @typedef {import('./page-state.js').PageState} PageState
 * @typedef {import('./page-state.js').PageStore} PageStore
 * @typedef {import('../../queries/index.js').Stats} Stats
 */

/** A provider that is new may be missing for this long. */
const CHOICES_KEPT_MS = 60_000
const OUTCOMES = /** @type {const} */ (['success', 'open', 'unfinished'])
const NO_OUTCOME = { success: '', open: '', unfinished: '' }

/** The controls that hold for the whole page: window and filters. */
export class Filters {
  #model = byId('model', HTMLSelectElement)
  #provider = byId('provider', HTMLSelectElement)
  #tier = byId('tier', HTMLSelectElement)
  #outcome = byId('outcome', HTMLSelectElement)
  #streaming = byId('streaming', HTMLSelectElement)
  #correlation = byId('correlation', HTMLInputElement)
  #label = byId('label', HTMLInputElement)
  #custom
  #choicesOf = ''
  #choicesAt = 0

  /** @param {PageStore} store */
  constructor(store) {
    this.store = store
    this.#custom = new CustomWindow(store)
    byId('ranges', HTMLFieldSetElement).addEventListener('change', (event) => this.#onRange(event))
    this.#model.addEventListener('change', () => store.update({ model: this.#model.value }))
    this.#provider.addEventListener('change', () =>
      store.update({ provider: this.#provider.value, without_provider: '' }),
    )
    this.#tier.addEventListener('change', () => this.#setLabel('tier', this.#tier.value))
    this.#outcome.addEventListener('change', () => {
      const [name = '', value = ''] = this.#outcome.value.split('=')
      store.update({ ...NO_OUTCOME, ...(name === '' ? {} : { [name]: value }) })
    })
    this.#streaming.addEventListener('change', () => store.update({ streaming: this.#streaming.value }))
    this.#correlation.addEventListener('change', () =>
      store.update({ correlation_id: this.#correlation.value.trim() }),
    )
    byId('correlation-form', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault())
    byId('label-form', HTMLFormElement).addEventListener('submit', (event) => this.#onLabel(event))
    byId('clear-scope', HTMLButtonElement).addEventListener('click', () => store.update(NO_FILTERS))
    byId('by', HTMLFieldSetElement).addEventListener('change', () => store.update({ by: checkedOf('by') }))
    this.show(store.state)
  }

  /** @param {PageState} state */
  show(state) {
    check('range', state.since === null ? state.range : 'custom')
    check('by', state.by)
    this.#custom.show(state)
    choose(this.#model, state.model)
    choose(this.#provider, state.provider)
    choose(this.#tier, state.labels['tier'] ?? '')
    choose(this.#outcome, outcomesOf(state).join(', '))
    choose(this.#streaming, state.streaming)
    if (document.activeElement !== this.#correlation) this.#correlation.value = state.correlation_id
    this.#correlation.classList.toggle('is-set', state.correlation_id !== '')
    this.#showChips(state)
    byId('clear-scope', HTMLButtonElement).hidden = !isFiltered(state)
  }

  /** @param {Stats} stats of the window, with its models */
  showAnswer(stats) {
    const { state } = this.store
    byId('window-text', HTMLElement).textContent = formatSpan(stats.since, stats.until, state.since !== null)
    byId('window-before', HTMLElement).textContent = `, against ${beforeName(state)}`
    fill(this.#model, stats.models ?? {}, state.model)
  }

  /**
   * What there is to choose from, besides models.
   *
   * @param {PageState} state
   * @throws {import('./api.js').ApiError}
   */
  async loadChoices(state) {
    const window = windowQuery(state, shownMoment())
    const asked = JSON.stringify([state.range, state.since, state.until, state.before])
    const isKnown = this.#choicesOf === asked && Date.now() - this.#choicesAt < CHOICES_KEPT_MS
    if (isKnown) return
    const [providers, tiers] = await Promise.all(
      ['provider', 'tier'].map((group) => {
        const query = new URLSearchParams(window)
        query.set('group_by', group)
        return /** @type {Promise<Stats>} */ (ask('v1/stats', query))
      }),
    )
    this.#choicesOf = asked
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
  #onRange({ target }) {
    if (!(target instanceof HTMLInputElement)) return
    if (target.value === 'custom') this.#custom.open()
    else this.store.update({ range: target.value, since: null, until: null, before: null })
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

  /**
   * Filters that have no control of their own.
   *
   * @param {PageState} state
   */
  #showChips({ labels, policy, without_policy, without_provider }) {
    const chips = Object.entries(labels)
      .filter(([name]) => name !== 'tier')
      .map(([name, value]) => chip(`${name}=${value}`, () => this.#setLabel(name, '')))
    if (policy !== '') chips.push(chip(`Policy ${policy}`, () => this.store.update({ policy: '' })))
    for (const [name, value] of Object.entries({ without_policy, without_provider })) {
      if (value === '') continue
      const text = value === 'true' ? name.replace('_', ' ') : `${name}=${value}`
      chips.push(chip(text, () => this.store.update({ [name]: '' })))
    }
    byId('chips', HTMLElement).replaceChildren(...chips)
  }
}

/**
 * @param {string} text
 * @param {() => void} onRemove
 */
function chip(text, onRemove) {
  const remove = button('×', onRemove)
  setLabel(remove, `Remove ${text}`)
  return element('li', 'chip', text, remove)
}

/** @param {PageState} state */
function outcomesOf(state) {
  return OUTCOMES.filter((name) => state[name] !== '').map((name) => `${name}=${state[name]}`)
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
