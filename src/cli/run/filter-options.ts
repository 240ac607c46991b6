import { type Command, InvalidArgumentError, Option } from 'commander'
import type { RequestFilter } from '../../queries/window/filter.js'
import { RANGES } from '../../queries/window/window.js'
import { instantOf, windowLength } from '../../queries/window/window-words.js'
import { timeParser } from './options.js'

const SUPPORTED = `${Object.keys(RANGES).join(', ')}, or a length such as 90m, 1h, 2d, 1w`

/** The values of the options of {@link addFilterOptions}. */
export interface FilterFlags {
  range?: string
  since?: string
  until?: string
  before?: string
  model?: string
  provider?: string
  policy?: string
  label?: Record<string, string>
  withoutProvider?: true
  withoutPolicy?: true
  open?: true
  unfinished?: true
}

/** Adds the options that choose which requests a command is about. */
export function addFilterOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--range <range>', `requests of the time up to now: ${SUPPORTED}`)
        .argParser(parseRange)
        .conflicts('since'),
    )
    .option(
      '--since <time>',
      'requests from this time on: 2026-11-22 (a UTC day), 2026-11-22T19:43 (UTC), any RFC 3339 time, or 2h (ago)',
      timeParser('start'),
    )
    .option(
      '--until <time>',
      'requests up to the end of this day, minute or second, or to this instant',
      timeParser('end'),
    )
    .addOption(
      new Option(
        '--before <time>',
        'requests before the beginning of this day, minute or second, or this instant',
      )
        .argParser(timeParser('start'))
        .conflicts('until'),
    )
    .option('--model <name>', 'requests of one model: its whole name, in upper or lower case')
    .option('--provider <name>', 'requests of one provider: its whole name, in upper or lower case')
    .addOption(
      new Option(
        '--without-provider',
        'requests without a provider: refused before one was chosen',
      ).conflicts('provider'),
    )
    .option('--policy <name>', 'requests of one policy: its exact name')
    .addOption(new Option('--without-policy', 'requests without a policy').conflicts('policy'))
    .option('--label <name=value>', 'requests with exactly this label; may be repeated', parseLabel)
    .addOption(
      new Option('--open', 'streams of the last hour whose end is not known').conflicts('unfinished'),
    )
    .option('--unfinished', 'streams from before the last hour whose end is not known')
}

/** The filter that was asked for; over all time by default. */
export function filterOf(flags: FilterFlags): RequestFilter {
  const { range, since = range, until, before } = flags
  const { model, provider, withoutProvider, policy, withoutPolicy, label: labels, open, unfinished } = flags
  const window = { since, until, before }
  return { ...window, model, provider, withoutProvider, policy, withoutPolicy, labels, open, unfinished }
}

/** The instant at which a window of that length begins. */
function parseRange(text: string): string {
  const start = windowLength(text) === null ? null : instantOf(text, 'start', Date.now())
  if (start !== null) return start
  throw new InvalidArgumentError(`Expected ${SUPPORTED}.`)
}

function parseLabel(text: string, before: Record<string, string> = {}): Record<string, string> {
  const separator = text.indexOf('=')
  if (separator < 1) throw new InvalidArgumentError('Expected name=value, such as team=search.')
  const name = text.slice(0, separator)
  if (Object.hasOwn(before, name)) {
    throw new InvalidArgumentError(
      `The label '${name}' was given already, and a request has one value of it.`,
    )
  }
  return Object.fromEntries([...Object.entries(before), [name, text.slice(separator + 1)]])
}
