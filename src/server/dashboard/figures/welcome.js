import { ask } from '../api/api.js'
import { byId, copyButton, element } from '../page/dom.js'

/**
 * @typedef {import('../../first-steps/first-steps.js').FirstSteps} FirstSteps
 * @typedef {import('../../first-steps/first-steps.js').Part} Part
 */

/**
 * The state of each part once it is there, and while it is missing.
 *
 * @type {Record<Part['name'], [string, string]>}
 */
const STATES = {
  Journal: ['exists', 'doesn’t exist yet'],
  Events: ['logged', 'none yet'],
  Projector: ['running', 'not running'],
  Database: ['exists', 'doesn’t exist yet'],
}

/**
 * Shows, in place of the charts, what is missing before the first request can appear, and the
 * commands that provide it.
 *
 * @param {AbortSignal} signal
 * @throws {import('../api/api.js').ApiError}
 */
export async function showWelcome(signal) {
  /** @type {FirstSteps} */
  const answer = await ask('v1/first-steps', undefined, signal)
  const welcome = byId('welcome', HTMLElement)
  welcome.hidden = false
  byId('charts', HTMLElement).hidden = true
  const shown = JSON.stringify(answer)
  // Nothing is replaced while it stays the same, because somebody may be selecting a command.
  if (welcome.dataset['shown'] === shown) return
  welcome.dataset['shown'] = shown
  const { folder, parts, steps } = answer
  const hasDatabase = parts.some(({ name, is_there: isThere }) => name === 'Database' && isThere)
  const where = element(
    'p',
    '',
    'Run these commands in ',
    element('code', '', folder),
    ', where the server was started.',
  )
  welcome.replaceChildren(
    element('h3', '', hasDatabase ? 'No requests yet' : 'No database yet'),
    element('p', '', 'The first request will appear here once all of this is in place:'),
    element('ul', 'parts', ...parts.map(partItem)),
    ...(steps.length === 0 ? [] : [where]),
    ...steps.flatMap(({ title, command }) => {
      const code = element('code', '', command)
      return [
        element('p', 'command-title', title),
        element('div', 'command', code, copyButton(code, command)),
      ]
    }),
  )
}

/** Shows the charts again. */
export function hideWelcome() {
  byId('welcome', HTMLElement).hidden = true
  byId('charts', HTMLElement).hidden = false
}

/** @param {Part} part */
function partItem({ name, place, is_there: isThere }) {
  const state = isThere === null ? 'unknown' : STATES[name][isThere ? 0 : 1]
  const item = element('li', isThere === false ? 'is-missing' : '', element('b', '', name), ' ', state)
  if (place !== null) item.append(' ', element('code', '', place))
  return item
}
