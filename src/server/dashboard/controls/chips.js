import { button, byId, element, setLabel } from '../page/dom.js'
import { FILTERS } from '../page/page-state.js'

export const NO_PROVIDER = 'No provider'
export const NO_POLICY = 'No policy'

/**
 * The texts for filters that have no field in the bar itself. A value that is invalid is shown as
 * it was typed: the server says what is wrong with it.
 *
 * @type {Partial<Record<typeof FILTERS[number], (value: string, currency: string) => string>>}
 */
const WORDS = {
  policy: (name) => `Policy ${name}`,
  without_provider: (value) => (value === 'true' ? NO_PROVIDER : `without_provider=${value}`),
  without_policy: (value) => (value === 'true' ? NO_POLICY : `without_policy=${value}`),
  without_label: (name) => `No ${name}`,
  error_status: (value) => (value === 'none' ? 'No error status' : `Status ${value}`),
  error_message: (text) => `Error contains “${text}”`,
  min_latency: (value) => `At least ${value} ms`,
  min_cost: (value, currency) =>
    `At least ${value.replace(/^([\d.]+)(sats|usd)?$/, (_, amount, own = currency) => `${amount} ${own}`)}`,
  unpriced: (value) => (value === 'both' || value === 'true' ? 'No known cost' : `No known cost in ${value}`),
  attempt: (value) => `Attempt ${value}`,
  service_tier: (name) => `Service tier ${name}`,
}

/**
 * Shows a chip for each filter that has no field in the bar itself, with a button that removes it.
 *
 * @param {PageStore} store
 * @param {string} currency the currency of amounts that don't name one
 */
export function showChips(store, currency) {
  const { state } = store
  const { labels } = state
  const chips = Object.keys(labels)
    .filter((label) => label !== 'tier')
    .map((label) => {
      const { [label]: value, ...others } = labels
      return chip(`${label}=${value}`, () => store.update({ labels: others }))
    })
  for (const name of FILTERS) {
    const words = WORDS[name]
    const value = state[name]
    // If requests without a provider are chosen, the provider's field already says so.
    const isSeen = name === 'without_provider' && isWithoutProvider(state)
    if (words === undefined || value === '' || isSeen) continue
    chips.push(chip(words(value, currency), () => store.update({ [name]: '' })))
  }
  byId('chips', HTMLElement).replaceChildren(...chips)
}

/** @param {Pick<PageState, 'provider' | 'without_provider'>} state */
export function isWithoutProvider({ provider, without_provider: without }) {
  return provider === '' && without === 'true'
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
