import { element, visible } from '../page/dom.js'

/**
 * The tokens of pretty-printed JSON: a string (with the colon if it is a key), a number, a word.
 */
const PARTS = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g

/**
 * Shows a line of the journal, indented and coloured. A line that isn't JSON is shown as it is.
 *
 * @param {string} text
 * @returns {HTMLPreElement}
 */
export function journalLine(text) {
  const pre = element('pre', 'line')
  pre.tabIndex = 0
  const pretty = indent(text)
  if (pretty === null) {
    pre.textContent = visible(text)
    return pre
  }
  let end = 0
  for (const match of pretty.matchAll(PARTS)) {
    const [all, string, colon, number] = match
    pre.append(pretty.slice(end, match.index))
    if (string !== undefined)
      pre.append(element('span', colon === undefined ? 'string' : 'key', string), colon ?? '')
    else pre.append(element('span', number === undefined ? 'word' : 'number', all))
    end = match.index + all.length
  }
  pre.append(pretty.slice(end))
  return pre
}

/**
 * Indents JSON by adding white space only: numbers keep the journal's digits, which `JSON.parse`
 * would round.
 *
 * @param {string} text
 * @returns {string | null} null: not JSON
 */
export function indent(text) {
  try {
    JSON.parse(text)
  } catch {
    return null
  }
  let depth = 0
  const line = () => `\n${'  '.repeat(depth)}`
  return text.replace(/"(?:\\.|[^"\\])*"|[{[]\s*[}\]]|[{}[\],:]|\s+/g, (part) => {
    if (part.startsWith('"') || (part.length > 1 && '{['.includes(part[0] ?? ''))) return part
    if (part === '{' || part === '[') {
      depth++
      return part + line()
    }
    if (part === '}' || part === ']') {
      depth--
      return line() + part
    }
    return part === ',' ? part + line() : part === ':' ? ': ' : ''
  })
}
