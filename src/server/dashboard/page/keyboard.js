import { byId } from './dom.js'
import { remember, remembered } from './memory.js'

/**
 * Starts the keyboard shortcuts of the page, and the dialog that lists them. People who dictate can
 * switch the shortcuts off.
 *
 * @param {Readonly<Record<string, () => void>>} actions by key, as `KeyboardEvent.key` has it
 */
export function startKeyboard(actions) {
  const help = byId('help', HTMLDialogElement)
  const areOn = byId('single-keys', HTMLInputElement)
  areOn.checked = remembered('keys') !== 'off'
  areOn.addEventListener('change', () => remember('keys', areOn.checked ? 'on' : 'off'))
  byId('help-button', HTMLButtonElement).addEventListener('click', () => help.showModal())
  help.addEventListener('click', ({ target }) => {
    if (target === help || target instanceof HTMLButtonElement) help.close()
  })
  addEventListener('keydown', (event) => {
    const hasModifier = event.ctrlKey || event.metaKey || event.altKey
    if (hasModifier || event.defaultPrevented || !areOn.checked || isTyping(event.target)) return
    if (help.open) return
    const action = event.key === '?' ? () => help.showModal() : actions[event.key]
    if (action === undefined) return
    event.preventDefault()
    action()
  })
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  if (target instanceof HTMLInputElement) return target.type !== 'radio' && target.type !== 'checkbox'
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement
}
