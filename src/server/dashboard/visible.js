// As src/cli/output/terminal.ts has it for terminals: control and format characters (bidirectional overrides, zero-width),
// separators of lines and paragraphs, lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
/** @type {Record<string, string>} */
const SHORT_ESCAPES = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\x1b' }

/**
 * Text as a page may show it: what would reorder or hide the text around it stands there as an escape. What is logged comes
 * from strangers, and a name with U+202E reads as another one.
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
