import { ask } from '../api/api.js'
import { byId, copyButton, element } from '../page/dom.js'

/**
 * @typedef {import('../../first-steps/first-steps.js').FirstSteps} FirstSteps
 * @typedef {import('../../first-steps/first-steps.js').Part} Part
 */

/** What a part is called while it isn't there. */
const MISSING = {
  Journal: 'not there yet',
  Events: 'none yet',
  Projector: 'none runs',
  Database: 'not there yet',
}

/**
 * Shows in place of the charts what is missing until the first request appears, and the commands
 * that bring it.
 *
 * @param {AbortSignal} signal
 * @throws {import('../api/api.js').ApiError}
 */
export async function showWelcome(signal) {
  /** @type {FirstSteps} */
  const answer = await ask('v1/first-steps', undefined, signal)
  const welcome = byId('welcome', HTMLElement)
  welcome.hidden = false
  const shown = JSON.stringify(answer)
  // Somebody may be selecting a command: nothing is made anew while it stays the same.
  if (welcome.dataset['shown'] === shown) return
  welcome.dataset['shown'] = shown
  const { folder, parts, steps } = answer
  const hasDatabase = parts.some(({ name, is_there: isThere }) => name === 'Database' && isThere)
  const where = element(
    'p',
    '',
    'Type this in ',
    element('code', '', folder),
    ', where the server was started.',
  )
  welcome.replaceChildren(
    element('h3', '', hasDatabase ? 'No requests yet' : 'No database yet'),
    element('p', '', 'The first request appears here by itself, as soon as all of this is there:'),
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

export function hideWelcome() {
  byId('welcome', HTMLElement).hidden = true
}

/** @param {Part} part */
function partItem({ name, place, is_there: isThere }) {
  const state = isThere === null ? 'not known here' : isThere ? 'there' : MISSING[name]
  const item = element('li', isThere === false ? 'is-missing' : '', element('b', '', name), ' ', state)
  if (place !== null) item.append(' ', element('code', '', place))
  return item
}
