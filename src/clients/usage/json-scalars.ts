/** Nobody writes a longer number or literal in valid JSON. */
const MAX_LITERAL_BYTES = 64

/**
 * Decodes the escapes of a text of JSON.
 *
 * @param isCut whether its end is missing, so that the last escape may be cut too.
 * @returns null if an escape is broken.
 */
export function unescaped(text: string, isCut = false): string | null {
  if (!text.includes('\\')) return text
  // An escape has at most six characters, so one that was cut is gone after five attempts.
  for (let dropped = 0; dropped <= (isCut ? 5 : 0); dropped++) {
    try {
      return JSON.parse(`"${text.slice(0, text.length - dropped)}"`) as string
    } catch {
      // The next attempt drops one more character.
    }
  }
  return null
}

const NUMBER = /^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/

/** Returns what a number, true, false or null stands for; undefined for any other text. */
export function literalValue(text: string): number | boolean | null | undefined {
  if (text === 'null') return null
  if (text === 'true') return true
  if (text === 'false') return false
  return text.length <= MAX_LITERAL_BYTES && NUMBER.test(text) ? Number(text) : undefined
}
