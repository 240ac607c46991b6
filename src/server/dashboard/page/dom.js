// The same characters as in src/cli/output/terminal.ts: control and format characters
// (bidirectional overrides, zero-width), separators of lines and paragraphs, lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
/** @type {Record<string, string>} */
const SHORT_ESCAPES = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\x1b' }

/**
 * Makes an element. Strings among its children become text nodes, without characters that reorder
 * or hide text: logged data is never parsed as HTML, and never changes how the text next to it
 * reads.
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
  made.append(...children.map((child) => (typeof child === 'string' ? visible(child) : child)))
  return made
}

/**
 * Gives an element a tooltip, whose text often comes from logged data.
 *
 * @param {HTMLElement} target
 * @param {string} text
 */
export function setTitle(target, text) {
  target.title = visible(text)
}

/**
 * Names an element for screen readers.
 *
 * @param {Element} target
 * @param {string} text
 */
export function setLabel(target, text) {
  target.setAttribute('aria-label', visible(text))
}

/**
 * Makes a button that doesn't submit the form in which it is.
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
 * Makes an option of a select.
 *
 * @param {string} value
 */
export function option(value, text = value) {
  const made = element('option', '', text)
  made.value = value
  return made
}

/**
 * Makes a cell that is the head of its column or row.
 *
 * @param {'col' | 'row'} scope
 * @param {...(Node | string)} children
 */
export function headCell(scope, ...children) {
  const made = element('th', '', ...children)
  made.scope = scope
  return made
}

/**
 * Finds the element with this id, which must exist and be of this kind.
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
 * Makes a button that copies a text, and says that it has. Without a clipboard (plain http) it
 * selects the text instead.
 *
 * @param {Node} source the node that shows the text
 * @param {string} [text] the text, if what is shown has escapes in it
 * @returns {HTMLButtonElement}
 */
export function copyButton(source, text = source.textContent ?? '') {
  const made = button('Copy', async () => {
    try {
      await navigator.clipboard.writeText(text)
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

/**
 * Makes a text safe to show: characters that would reorder or hide the text around them become
 * escapes. Logged texts come from strangers, and with U+202E one name can look like another.
 *
 * @param {string} text
 */
export function visible(text) {
  return text.replace(UNSAFE, (character) => SHORT_ESCAPES[character] ?? unicodeEscapes(character))
}

/** @param {string} character */
function unicodeEscapes(character) {
  let escapes = ''
  for (let i = 0; i < character.length; i++) {
    escapes += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  }
  return escapes
}
