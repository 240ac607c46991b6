import { safeIdentifier } from './identifier.js'

/**
 * The longest text that V8 hashes by its characters. It hashes longer ones by their length alone,
 * and JSON.parse looks up each member's name in a hash table.
 */
const MAX_HASHED_LENGTH = 16_383

/**
 * Cuts members' names in JSON text, as identifiers are cut, where V8 couldn't tell them apart:
 * 5,000 lines with names that are this long and all of the same length would take minutes to parse.
 * No field's name is that long, so only the names of labels, which are cut anyway, and of unknown
 * members change.
 */
export function cutLongNames(json: string): string {
  if (json.length <= MAX_HASHED_LENGTH) return json
  let result = ''
  let copied = 0
  for (let start = json.indexOf('"'); start !== -1; ) {
    const end = endOfText(json, start)
    if (end === -1) break
    if (end - start > MAX_HASHED_LENGTH && isName(json, end)) {
      const name = parsedText(json.slice(start, end))
      if (name === null) break
      result += json.slice(copied, start) + JSON.stringify(safeIdentifier(name))
      copied = end
    }
    start = json.indexOf('"', end)
  }
  return copied === 0 ? json : result + json.slice(copied)
}

/** The index after the closing quote of the text that begins at `start`; −1 if it isn't closed. */
function endOfText(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); quote !== -1; quote = json.indexOf('"', quote + 1)) {
    let backslashes = 0
    while (json[quote - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return quote + 1
  }
  return -1
}

function isName(json: string, end: number): boolean {
  let at = end
  while (json[at] === ' ' || json[at] === '\t' || json[at] === '\r' || json[at] === '\n') at++
  return json[at] === ':'
}

/** Null if it isn't JSON: parsing the whole line will say so. */
function parsedText(json: string): string | null {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
