/**
 * @typedef {import('../page/page-state.js').PageState} PageState
 * @typedef {Partial<PageState>} Change
 */

const LABEL = 'label:'
/** What stands for requests that have no such name. */
const UNKNOWN_NAME = 'unknown'

/**
 * The filter for the requests of one name among those that costs are told apart by: choosing it
 * again removes it.
 *
 * @param {PageState} state
 * @param {string} by `model`, `label:team`, …
 * @param {string} name
 * @returns {Change | null} null: no filter finds them
 */
export function choiceOf(state, by, name) {
  if (by === 'model') return { model: toggled(state.model, name) }
  if (by === 'provider' || by === 'policy') return namedOrNone(state, by, name)
  if (by === 'error_status') return { error_status: toggled(state.error_status, name) }
  if (name === UNKNOWN_NAME) return null
  if (by === 'service_tier') return { service_tier: toggled(state.service_tier, name) }
  const label = by.startsWith(LABEL) ? by.slice(LABEL.length) : by
  const { [label]: chosen, ...others } = state.labels
  return { labels: chosen === name ? others : { ...others, [label]: name } }
}

/**
 * @param {PageState} state
 * @param {'provider' | 'policy'} by
 * @param {string} name
 * @returns {Change}
 */
function namedOrNone(state, by, name) {
  const without = /** @type {const} */ (`without_${by}`)
  // Requests without one are a group of their own, which no name stands for.
  if (name === UNKNOWN_NAME) return { [by]: '', [without]: toggled(state[without], 'true') }
  return { [by]: toggled(state[by], name), [without]: '' }
}

/**
 * @param {string} chosen
 * @param {string} name
 */
function toggled(chosen, name) {
  return chosen === name ? '' : name
}
