/** @typedef {Partial<PageState>} Change */

const LABEL = 'label:'

/**
 * Returns the filter that a click on a name in the legend of the costs sets. A second click on it
 * removes the filter.
 *
 * @param {PageState} state
 * @param {string} by `model`, `label:team`, …
 * @param {string | null} name null: the group of the requests without a name
 * @returns {Change | null} null: there is no filter for these requests
 */
export function choiceOf(state, by, name) {
  // An empty text means that there is no filter.
  if (name === '') return null
  if (by === 'provider' || by === 'policy') return namedOrNone(state, by, name)
  const label = by.startsWith(LABEL) ? by.slice(LABEL.length) : by === 'tier' ? by : null
  if (label !== null) return labelOrNone(state, label, name)
  if (name === null) return null
  if (by === 'model') return { model: toggled(state.model, name) }
  if (by === 'error_status') return { error_status: toggled(state.error_status, name) }
  if (by === 'journal') return { journal: toggled(state.journal, name) }
  return { service_tier: toggled(state.service_tier, name) }
}

/**
 * @param {PageState} state
 * @param {string} label
 * @param {string | null} name
 * @returns {Change}
 */
function labelOrNone(state, label, name) {
  const { [label]: chosen, ...others } = state.labels
  if (name === null) return { labels: others, without_label: toggled(state.without_label, label) }
  const without = state.without_label === label ? { without_label: '' } : {}
  return { labels: chosen === name ? others : { ...others, [label]: name }, ...without }
}

/**
 * @param {PageState} state
 * @param {'provider' | 'policy'} by
 * @param {string | null} name
 * @returns {Change}
 */
function namedOrNone(state, by, name) {
  const without = /** @type {const} */ (`without_${by}`)
  // There is a filter of its own for requests without a provider, or a policy.
  if (name === null) return { [by]: '', [without]: toggled(state[without], 'true') }
  return { [by]: toggled(state[by], name), [without]: '' }
}

/**
 * @param {string} chosen
 * @param {string} name
 */
function toggled(chosen, name) {
  return chosen === name ? '' : name
}
