import { byId, copyButton, element } from '../page/dom.js'

/** The commands that bring the first requests here: see the README. */
const COMMANDS = [
  ['Follow a gateway’s journal:', 'request-journal project --journal journal --db requests.db'],
  [
    'Or try it with one event:',
    `echo '{"model":"gpt-4o","provider":"east","input_tokens":812,"output_tokens":164,"cost_sats":13.1,"latency_ms":2140,"success":true}' | request-journal append --journal journal`,
  ],
]

/** @typedef {'no rows' | 'no database'} Lack */

const WORDS = {
  'no rows': {
    title: 'No requests yet',
    text: 'The database is there, but empty. The first request appears here as soon as the projector has projected it.',
  },
  'no database': {
    title: 'No database yet',
    text: 'The server waits for a projector to make one. The first request appears here as soon as it has been projected.',
  },
}

/**
 * Shows the first steps in place of the charts, while there is nothing else to show.
 *
 * @param {Lack | null} lack
 */
export function showWelcome(lack) {
  const welcome = byId('welcome', HTMLElement)
  welcome.hidden = lack === null
  if (lack === null || welcome.dataset['lack'] === lack) return
  welcome.dataset['lack'] = lack
  const { title, text } = WORDS[lack]
  const parts = COMMANDS.flatMap(([what = '', command = '']) => {
    const code = element('code', '', command)
    return [element('p', 'command-title', what), element('div', 'command', code, copyButton(code))]
  })
  welcome.replaceChildren(element('h3', '', title), element('p', '', text), ...parts)
}
