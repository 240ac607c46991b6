import { copyButton, element } from '../page/dom.js'
import { formatCount, UNKNOWN } from '../page/format.js'
import { journalLine } from './journal-line.js'

/**
 * @typedef {import('../../../queries/index.js').JournalLine} JournalLine
 * @typedef {string | Node | null} Fact null: unknown
 * @typedef {[name: string, fact: Fact]} NamedFact
 */

/** The parts of the tokens in and out, in words. */
const PARTS = {
  input: {
    cache_read_input: 'read from a cache',
    cache_creation_input: 'written to a cache',
    cache_creation_1h_input: 'written for an hour',
    audio_input: 'of audio',
    image_input: 'of images',
  },
  output: { reasoning_output: 'of reasoning', audio_output: 'of audio' },
}

/**
 * The places of a request's lines in the journal.
 *
 * @param {RequestDetail} request
 * @returns {NamedFact[]}
 */
export function placesOf({ journal, place, completed_place: completed }) {
  /** @type {NamedFact[]} */
  const rows = []
  if (place === null) rows.push(['Segment', 'none: this row isn’t from the journal'])
  else {
    if (journal !== undefined) rows.push(['Journal', journal])
    rows.push(['Segment', element('code', '', place.segment)])
    rows.push(['Byte offset', formatCount(place.byte_offset)])
  }
  if (completed !== null) rows.push(['Completed by', placeCode(completed)])
  return rows
}

/** @param {{ segment: string, byte_offset: number }} place */
export function placeCode({ segment, byte_offset: byteOffset }) {
  return element('code', '', `${segment} at ${formatCount(byteOffset)}`)
}

/**
 * A section with a list of facts.
 *
 * @param {string} title empty: none
 * @param {NamedFact[]} rows
 */
export function facts(title, rows) {
  return element('section', '', ...(title === '' ? [] : [element('h3', '', title)]), factList(rows))
}

/** @param {NamedFact[]} rows */
export function factList(rows) {
  const list = element('dl', 'facts')
  for (const [name, fact] of rows) {
    list.append(element('dt', '', name), element('dd', fact === null ? 'muted' : '', fact ?? UNKNOWN))
  }
  if (rows.length === 0) list.append(element('dt', '', 'none'), element('dd'))
  return list
}

/**
 * A section with a line of the journal, or the reason why it can't be shown.
 *
 * @param {string} title
 * @param {JournalLine | null} line
 * @returns {HTMLElement[]} empty if there is no such line
 */
export function lineSection(title, line) {
  if (line === null) return []
  const heading = element('h3', '', title)
  if (line.text === null) return [element('section', '', heading, element('p', 'muted', line.reason))]
  const pre = journalLine(line.text)
  heading.append(copyButton(pre))
  return [element('section', '', heading, pre)]
}

/**
 * A fact that most requests don't have.
 *
 * @param {string} name
 * @param {string | null} fact
 * @returns {NamedFact[]}
 */
export function optional(name, fact) {
  return fact === null ? [] : [[name, fact]]
}

/**
 * `1,000, of which 400 read from a cache`
 *
 * @param {RequestDetail['tokens']} tokens
 * @param {keyof typeof PARTS} side
 */
export function tokenText(tokens, side) {
  const knownParts = Object.entries(PARTS[side]).flatMap(([part, words]) => {
    const count = tokens[/** @type {keyof typeof tokens} */ (part)]
    return count === null ? [] : [`${formatCount(count)} ${words}`]
  })
  if (knownParts.length === 0) return known(tokens[side], formatCount)
  return `${formatCount(tokens[side])}, of which ${knownParts.join(', ')}`
}

/**
 * @param {number | null} value
 * @param {(value: number) => string} format
 */
export function known(value, format) {
  return value === null ? null : format(value)
}
