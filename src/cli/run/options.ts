import { resolve } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { type Edge, instantOf } from '../../queries/window/window-words.js'

const MAX_ROLLUP_LABELS = 8

export function journalOption(): Option {
  return new Option('--journal <dir>', "the journal's directory")
    .env('REQUEST_JOURNAL_DIR')
    .default(resolve('journal'), '"./journal"')
    .argParser(parsePath)
}

export function databaseOption(): Option {
  return new Option('--db <file>', 'the database')
    .env('REQUEST_JOURNAL_DB')
    .default(resolve('requests.db'), '"./requests.db"')
    .argParser(parsePath)
}

export function jsonOption(): Option {
  return new Option('--json', 'answer with one line of JSON')
}

/** May be repeated, or have names with commas between them, as in its environment variable. */
export function rollupLabelOption(): Option {
  return new Option(
    '--rollup-label <name>',
    'a label to keep roll-ups by, at most 8; may be repeated. Set it while the database is empty, or later with a replay',
  )
    .env('REQUEST_JOURNAL_ROLLUP_LABEL')
    .argParser(parseLabelNames)
}

function parseLabelNames(text: string, before: readonly string[] = []): string[] {
  const names = [...new Set([...before, ...text.split(',')])]
  if (names.includes('')) throw new InvalidArgumentError('Expected the name of a label, found nothing.')
  if (names.length > MAX_ROLLUP_LABELS) {
    throw new InvalidArgumentError(`Expected at most ${MAX_ROLLUP_LABELS} labels, found ${names.length}.`)
  }
  return names
}

/** A parser of whole numbers within a range. */
export function wholeNumberBetween(least: number, greatest: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= greatest) return value
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${greatest}.`)
  }
}

/** A parser of the words for an instant; it gives strict RFC 3339. */
export function timeParser(edge: Edge): (text: string) => string {
  return (text) => {
    const instant = instantOf(text, edge, Date.now())
    if (instant !== null) return instant
    throw new InvalidArgumentError(
      'Expected a date, a time (UTC without an offset) or how long ago: 2026-11-22, 2026-11-22T19:43, ' +
        '2026-11-22T19:43:00+01:00, 90m, 2d.',
    )
  }
}

/** The examples after a command's options. */
export function examples(...lines: string[]): string {
  return `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.map((line) => `  $ ${line}`).join('\n')}`
}

/**
 * Parses a path, and refuses an option that was taken for one. The path is resolved here, so that
 * every message and log names the same place in the same words, whatever directory its reader is
 * in.
 */
export function parsePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('Expected a path, found nothing.')
  // In `--journal --json` the value was forgotten, and the next option was taken for it.
  if (text.startsWith('-')) {
    throw new InvalidArgumentError(`Expected a path; write ./${text} for a path that begins with a dash.`)
  }
  return resolve(text)
}
