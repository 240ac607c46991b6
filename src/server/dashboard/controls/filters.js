import { ask } from '../api/api.js'
import { shownMoment } from '../api/clock.js'
import { byId, option } from '../page/dom.js'
import { formatSpan } from '../page/format.js'
import { isFiltered, NO_FILTERS } from '../page/page-state.js'
import { beforeName, monthOf } from '../page/window-before.js'
import { ByControl } from './by-control.js'
import { CalendarControl } from './calendar-control.js'
import { isWithoutProvider, NO_PROVIDER, showChips } from './chips.js'
import { CurrencyControl } from './currency-control.js'
import { CustomWindow } from './custom-window.js'
import { MoreFilters } from './more-filters.js'
import { NameField } from './name-field.js'
import { ZoneControl } from './zone-control.js'

/** How often the page asks whether there are tiers, and several journals, until there are. */
const ASK_EVERY_MS = 60_000
const OUTCOMES = /** @type {const} */ (['success', 'open', 'unfinished'])
const NO_BOUNDS = { since: null, until: null, before: null }
const NO_OUTCOME = { success: '', open: '', unfinished: '' }

/** The controls that apply to the whole page: window and filters. */
export class Filters {
  #model
  #provider
  #tier
  #journal
  #outcome = byId('outcome', HTMLSelectElement)
  #streaming = byId('streaming', HTMLSelectElement)
  #correlation = byId('correlation', HTMLInputElement)
  #label = byId('label', HTMLInputElement)
  #calendar
  #by
  #currency
  #custom
  #more
  #zone
  /** The currency of the last answer. */
  #shownCurrency = 'sats'
  #askedAt = Number.NEGATIVE_INFINITY

  /** @param {PageStore} store */
  constructor(store) {
    this.store = store
    this.#by = new ByControl(store)
    this.#calendar = new CalendarControl(store)
    this.#currency = new CurrencyControl(store)
    this.#custom = new CustomWindow(store)
    this.#more = new MoreFilters(store)
    this.#zone = new ZoneControl(store)
    byId('ranges', HTMLFieldSetElement).addEventListener('change', (event) => this.#onRange(event))
    this.#model = new NameField('model', {
      dimension: 'model',
      all: 'All models',
      onChoose: (model) => store.update({ model }),
    })
    this.#provider = new NameField('provider', {
      dimension: 'provider',
      all: 'All providers',
      others: [{ text: NO_PROVIDER, choose: () => store.update({ provider: '', without_provider: 'true' }) }],
      onChoose: (provider) => store.update({ provider, without_provider: '' }),
    })
    this.#tier = new NameField('tier', {
      dimension: 'label:tier',
      all: 'All tiers',
      onChoose: (tier) => this.#setLabel('tier', tier),
    })
    this.#journal = new NameField('journal', {
      dimension: 'journal',
      all: 'All journals',
      onChoose: (journal) => store.update({ journal }),
    })
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
    this.show(store.state)
  }

  /** @param {PageState} state */
  show(state) {
    const isMonth = monthOf(state) !== ''
    check('range', state.since === null ? state.range : isMonth ? '' : 'custom')
    this.#by.show(state)
    this.#calendar.show(state)
    this.#custom.show(state, !isMonth)
    this.#zone.show()
    const tier = state.labels['tier'] ?? ''
    this.#model.show(state.model)
    this.#provider.show(isWithoutProvider(state) ? NO_PROVIDER : state.provider)
    this.#tier.show(tier)
    if (tier !== '') byId('tier-field', HTMLElement).hidden = false
    this.#journal.show(state.journal)
    if (state.journal !== '') byId('journal-field', HTMLElement).hidden = false
    choose(this.#outcome, outcomesOf(state).join(', '))
    choose(this.#streaming, state.streaming)
    if (document.activeElement !== this.#correlation) this.#correlation.value = state.correlation_id
    this.#correlation.classList.toggle('is-set', state.correlation_id !== '')
    this.#more.show(state)
    this.#showChips()
    byId('clear-scope', HTMLButtonElement).hidden = !isFiltered(state)
  }

  /** @param {Stats} stats of the window */
  showAnswer(stats) {
    const { state } = this.store
    byId('window-text', HTMLElement).textContent = formatSpan(stats.since, stats.until, state.since !== null)
    byId('window-before', HTMLElement).textContent = `, compared with ${beforeName(state, shownMoment())}`
    this.#currency.showAnswer(stats)
    this.#shownCurrency = stats.currency ?? 'sats'
    this.#showChips()
  }

  #showChips() {
    showChips(this.store, this.store.state.currency || this.#shownCurrency)
  }

  /** Switches between UTC and another zone. */
  toggleZone() {
    this.#zone.toggle()
  }

  /** @param {Iterable<string>} names labels that requests have */
  offerLabels(names) {
    this.#by.offerLabels(names)
  }

  /**
   * Shows the field for tiers once requests have tiers, and the field for journals once there are
   * several.
   *
   * @throws {import('../api/api.js').ApiError}
   */
  async askForFields() {
    if (Date.now() - this.#askedAt < ASK_EVERY_MS) return
    this.#askedAt = Date.now()
    await this.#showField('tier-field', 'label:tier', 1)
    if (await this.#showField('journal-field', 'journal', 2)) this.#by.offerJournal()
  }

  /**
   * Shows a field once a dimension has at least so many names.
   *
   * @param {string} id
   * @param {string} dimension
   * @param {number} least
   * @returns whether it is visible
   */
  async #showField(id, dimension, least) {
    const field = byId(id, HTMLElement)
    if (!field.hidden) return true
    const query = new URLSearchParams({ dimension, limit: String(least) })
    const { names } = /** @type {NameList} */ (await ask('v1/names', query))
    field.hidden = names.length < least
    return !field.hidden
  }

  /** @param {Event} event */
  #onRange({ target }) {
    if (!(target instanceof HTMLInputElement)) return
    if (target.value === 'custom') this.#custom.open()
    else this.store.update({ range: target.value, ...NO_BOUNDS })
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
   * @param {string} value empty: the filter is removed
   */
  #setLabel(name, value) {
    const { labels, without_label: without } = this.store.state
    const { [name]: _old, ...others } = labels
    this.store.update({
      labels: value === '' ? others : { ...others, [name]: value },
      without_label: without === name ? '' : without,
    })
  }
}

/** @param {PageState} state */
function outcomesOf(state) {
  return OUTCOMES.filter((name) => state[name] !== '').map((name) => `${name}=${state[name]}`)
}

/**
 * Sets the value of a select. A value in the URL that isn't an option is added as one.
 *
 * @param {HTMLSelectElement} select
 * @param {string} value
 */
function choose(select, value) {
  const isKnown = [...select.options].some((known) => known.value === value)
  if (!isKnown) select.append(option(value))
  select.value = value
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
