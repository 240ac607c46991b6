// Control and format characters (bidirectional overrides, zero-width), line and paragraph
// separators, and lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const INVISIBLE = /^\p{M}$/u
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})$/u
const SHORT_ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\x1b' }

/**
 * Makes text safe for a terminal: characters that would move the cursor, change colours, reorder or
 * hide text become escapes. Strangers may have written anything that is logged.
 */
export function visible(text: string): string {
  return text.replace(UNSAFE, (character) => SHORT_ESCAPES[character] ?? unicodeEscapes(character))
}

/** The same JSON without control characters, of which JSON itself escapes only the first 32. */
export function terminalJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, unicodeEscapes)
}

/** How many columns visible text takes. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/** Fills visible text with spaces up to a width. */
export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

/** Cuts visible text to a width, with an ellipsis if something is missing. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let cut = ''
  let used = 0
  for (const character of text) {
    used += characterWidth(character)
    if (used > width - 1) break
    cut += character
  }
  return width < 1 ? '' : `${cut}…`
}

function characterWidth(character: string): number {
  if (character < '\u0300') return 1
  if (INVISIBLE.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

function unicodeEscapes(character: string): string {
  let escapes = ''
  for (let i = 0; i < character.length; i++) {
    escapes += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  }
  return escapes
}
