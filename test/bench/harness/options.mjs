import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { whyNoCheckout } from './checkouts.mjs'

export const USAGE = `Usage: npm run bench -- [options]

  --scenario NAMES  only these, with commas between them; may be given several times
  --events N        instead of each scenario's own number, where it has one
  --quick           small sizes and few rounds: minutes, to see that everything works
  --rounds N        instead of each scenario's own number
  --against DIR     measure another checkout of this project too, built there, in turns with this one, and compare
                    each figure but the maximum of a single call: exit 1 where one is worse than 0.95 of the other's
  --seed N          of the generated events (default: 1)
  --directory DIR   where the temporary files go (default: ${tmpdir()})
  --json FILE       where the results go (default: test/bench/results/<date>.json)
  --markdown        print the table as Markdown
  --list            only say which scenarios there are
  --help
`

/** Wrong use: the message names the option. */
export class UsageError extends Error {}

/**
 * @param {readonly string[]} parameters
 * @param {readonly string[]} scenarioNames
 * @throws UsageError
 */
export function readOptions(parameters, scenarioNames) {
  const values = parse(parameters)
  const scenarios = values.scenario?.flatMap((names) => names.split(',')) ?? [...scenarioNames]
  const unknown = scenarios.find((name) => !scenarioNames.includes(name))
  if (unknown !== undefined) {
    throw new UsageError(`--scenario: found ${unknown}, expected one of ${scenarioNames.join(', ')}`)
  }
  return {
    scenarios: [...new Set(scenarios)],
    events: values.events === undefined ? null : wholeNumber('events', values.events, 1000, 100_000_000),
    rounds: values.rounds === undefined ? null : wholeNumber('rounds', values.rounds, 1, 1000),
    seed: wholeNumber('seed', values.seed, 0, 2 ** 32 - 1),
    isQuick: values.quick,
    against: values.against === undefined ? null : checkout('against', values.against),
    directory: notEmpty('directory', values.directory),
    json: values.json === undefined ? null : notEmpty('json', values.json),
    isMarkdown: values.markdown,
    isList: values.list,
    isHelp: values.help,
  }
}

/** @param {readonly string[]} parameters */
function parse(parameters) {
  try {
    return parseArgs({
      args: [...parameters],
      options: {
        scenario: { type: 'string', multiple: true },
        events: { type: 'string' },
        quick: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        seed: { type: 'string', default: '1' },
        against: { type: 'string' },
        directory: { type: 'string', default: tmpdir() },
        json: { type: 'string' },
        markdown: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} least
 * @param {number} most
 */
function wholeNumber(name, text, least, most) {
  const value = Number(text)
  if (/^\d{1,15}$/.test(text) && value >= least && value <= most) return value
  throw new UsageError(`--${name}: found ${text}, expected a whole number from ${least} to ${most}`)
}

/**
 * @param {string} name
 * @param {string} text
 */
function notEmpty(name, text) {
  if (text !== '') return text
  throw new UsageError(`--${name}: found nothing, expected a path`)
}

/**
 * @param {string} name
 * @param {string} text
 */
function checkout(name, text) {
  const directory = resolve(notEmpty(name, text))
  const reason = whyNoCheckout(directory)
  if (reason === null) return directory
  throw new UsageError(`--${name}: ${reason}`)
}
