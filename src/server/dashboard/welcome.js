import { byId, copyButton, element } from './dom.js'

/** What brings the first requests here: see the README. */
const COMMANDS = [
  ['Follow a gateway’s journal:', 'request-journal project --journal journal --db requests.db'],
  [
    'Or try it with one event:',
    `echo '{"model":"gpt-4o","provider":"east","input_tokens":812,"output_tokens":164,"cost_sats":13.1,"latency_ms":2140,"success":true}' | request-journal append --journal journal`,
  ],
]

/**
 * What stands in place of the charts while the database has no row.
 *
 * @param {boolean} isShown
 */
export function showWelcome(isShown) {
  const welcome = byId('welcome', HTMLElement)
  welcome.hidden = !isShown
  if (!isShown || welcome.childElementCount > 0) return
  welcome.append(
    element('h3', '', 'No requests yet'),
    element(
      'p',
      '',
      'The database is there and has no row. As soon as the projector brings the first one, it shows here.',
    ),
  )
  for (const [what = '', command = ''] of COMMANDS) {
    const code = element('code', '', command)
    welcome.append(element('p', 'command-title', what), element('div', 'command', code, copyButton(code)))
  }
}
