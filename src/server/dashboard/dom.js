/**
 * An element. Children that are strings become text nodes: nothing that comes from data is ever parsed as HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className = '', ...children) {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  made.append(...children)
  return made
}

/**
 * A button that does something, and never submits a form by accident.
 *
 * @param {string} text
 * @param {() => void} onClick
 * @param {string} [className]
 * @returns {HTMLButtonElement}
 */
export function button(text, onClick, className = '') {
  const made = element('button', className, text)
  made.type = 'button'
  made.addEventListener('click', onClick)
  return made
}

/**
 * The element of the page with this id, which must be there and of this kind.
 *
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function byId(id, kind) {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`#${id} is not a ${kind.name} of this page`)
  return found
}

/**
 * Says something to screen readers, without showing it.
 *
 * @param {string} text
 */
export function announce(text) {
  byId('announcer', HTMLElement).textContent = text
}

/**
 * Copies a text, and says on the button that it did. Without a clipboard (plain http) the text is selected instead.
 *
 * @param {Node} source what holds the text
 * @returns {HTMLButtonElement}
 */
export function copyButton(source) {
  const made = button('Copy', async () => {
    try {
      await navigator.clipboard.writeText(source.textContent ?? '')
      made.textContent = 'Copied'
    } catch {
      getSelection()?.selectAllChildren(source)
      made.textContent = 'Selected'
    }
    setTimeout(() => {
      made.textContent = 'Copy'
    }, 1500)
  })
  return made
}
