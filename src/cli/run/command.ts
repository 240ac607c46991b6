import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { CURRENCIES } from '../../queries/window/currency.js'
import { VALUE_FILTER_NAMES, VALUE_FILTERS } from '../../queries/window/value-filters.js'
import {
  parseLabel,
  parseLabelName,
  parseRange,
  RANGE_WORDS,
  SUPPORTED_RANGES,
  valueParser,
} from './filter-options.js'
import {
  parseDatabase,
  parseDatabaseFile,
  parsePath,
  parseTime,
  parseTimeZone,
  wholeNumberBetween,
} from './options.js'

const MAX_ROLLUP_LABELS = 8
/** With the margin and a backslash, a line of this length has 80 columns. */
const EXAMPLE_WIDTH = 71
const YES_OR_NO = ['true', 'false']
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

export interface JsonFlag {
  json?: true
}

/** The values of the options that every command about journal and database has. */
export interface CommonFlags extends JsonFlag {
  journal: string
  database: string
  schema?: string
}

/**
 * The options whose values aren't called by the option's own name in the program, but as the
 * functions of the other rooms call them.
 */
const MEMBERS: Readonly<Record<string, string>> = {
  alias: 'aliases',
  'allow-host': 'allowedHosts',
  db: 'database',
  label: 'labels',
  'label-header': 'labelHeaders',
  prices: 'pricesFile',
  'rollup-label': 'rollupLabels',
}

const suggestions = new WeakMap<Option, readonly string[]>()

/** The values that {@link ProgramCommand.suggest} has set for an option. */
export function suggestionsOf(option: Option): readonly string[] | undefined {
  return suggestions.get(option)
}

/** Whether an option may be given more than once: then its description says so. */
export function isRepeatable({ description }: Option): boolean {
  return description.includes('may be repeated')
}

/** A command of this program, which can take the options that several commands share. */
export class ProgramCommand extends Command {
  override createCommand(name?: string): ProgramCommand {
    return new ProgramCommand(name)
  }

  /**
   * Adds an option. An option with a value is refused if it is given twice, since the first value
   * would be ignored. A setting, which the environment may also give, may be given again, so that
   * one in a script can be overridden.
   */
  override addOption(option: Option): this {
    const member = MEMBERS[option.name().replace(/^no-/, '')]
    if (member !== undefined) option.attributeName = () => member
    super.addOption(option)
    const takesValue = option.required || option.optional
    const isSetting = option.envVar !== undefined
    if (!takesValue || isSetting || isRepeatable(option)) return this
    let isGiven = false
    this.on(`option:${option.name()}`, () => {
      if (isGiven) this.error(`error: option '${option.flags}' was given more than once`)
      isGiven = true
    })
    return this
  }

  journalOption(): this {
    return this.addOption(
      new Option('--journal <dir>', "the journal's directory")
        .env('REQUEST_JOURNAL_DIR')
        .default(resolve('journal'), '"./journal"')
        .argParser(parsePath),
    )
  }

  databaseOption(about = 'the database', parse = parseDatabaseFile): this {
    return this.settingOption('--db <file>', about, parse, resolve('requests.db'), '"./requests.db"')
  }

  /** The option of commands that also take a PostgreSQL database, and its schema. */
  storeOption(): this {
    const about = 'the database: a file, or postgres://user@host/database'
    return this.databaseOption(about, parseDatabase).schemaOption()
  }

  schemaOption(): this {
    const about = 'the schema of the tables in PostgreSQL'
    return this.settingOption('--schema <name>', about, undefined, 'request_journal')
  }

  chunksOption(): this {
    return this.option(
      '--no-chunks',
      "don't keep the journal's bytes in PostgreSQL, from which `restore` could bring them back",
    )
  }

  /** @param when what the help shows in place of a default. */
  jsonOption(when?: string): this {
    return this.addOption(new Option('--json', 'answer with one line of JSON').default(undefined, when))
  }

  /** It may be repeated, or list names separated by commas, as its environment variable does. */
  rollupLabelOption(): this {
    return this.settingOption(
      '--rollup-label <name>',
      'a label to keep roll-ups by, at most 8; may be repeated. Set it while the database is empty, or later with a replay',
      parseLabelNames,
    )
  }

  logLevelOption(): this {
    return this.addOption(
      new Option('--log-level <level>', 'the lowest level that is logged to stderr')
        .env('REQUEST_JOURNAL_LOG_LEVEL')
        .default('info')
        .choices(LOG_LEVELS),
    )
  }

  /** Adds the options that choose which requests a command is about. */
  filterOptions(): this {
    const range = `requests of a time span up to now, or of a day, month or year in --timezone: ${SUPPORTED_RANGES}`
    this.exclusiveOption('--range <range>', range, 'since', parseRange)
      .option(
        '--since <time>',
        'requests from this time on: 2026-11-22, 2026-11, 2026-11-22T19:43 (all UTC without --timezone), any RFC 3339 time, yesterday, or 2h (ago)',
        parseTime,
      )
      .option(
        '--until <time>',
        'requests up to the end of this month, day, minute or second, or to this instant',
        parseTime,
      )
      .exclusiveOption(
        '--before <time>',
        'requests before the beginning of this month, day, minute or second, or this instant',
        'until',
        parseTime,
      )
      .settingOption(
        '--timezone <zone>',
        'the time zone of days, months, times without an offset and times shown, by its IANA name: ' +
          'Europe/Berlin; UTC by default',
        parseTimeZone,
      )
      .option('--model <name>', 'requests of one model: its whole name, in upper or lower case')
      .option('--provider <name>', 'requests of one provider: its whole name, in upper or lower case')
      .exclusiveOption(
        '--without-provider',
        'requests without a provider: refused before one was chosen',
        'provider',
      )
      .option('--policy <name>', 'requests of one policy: its exact name')
      .exclusiveOption('--without-policy', 'requests without a policy', 'policy')
      .option('--label <name=value>', 'requests with exactly this label; may be repeated', parseLabel)
      .option('--without-label <name>', 'requests without a label of this name', parseLabelName)
      .exclusiveOption('--open', 'streams of the last hour whose end is not known', 'unfinished')
      .option('--unfinished', 'streams from before the last hour whose end is not known')
      .option('--journal-id <id>', 'requests of one journal: its id, or the name of its host')
      .option('--correlation-id <id>', 'everything that is logged under this correlation_id')
      .choiceOption(
        '--success <yes>',
        'only requests that succeeded, or with false those that failed',
        YES_OR_NO,
      )
      .exclusiveOption('--failed', 'only requests that failed: short for --success false', 'success')
      .addOption(
        new Option('--streaming [yes]', 'only streams, or with false all other requests')
          .choices(YES_OR_NO)
          .preset('true'),
      )
    this.suggest('--range', RANGE_WORDS)
    this.choiceOption(
      '--currency <currency>',
      'the currency of costs and of --min-cost; by default one in which costs are known in the window, sats ' +
        'before usd',
      CURRENCIES,
    )
    for (const name of VALUE_FILTER_NAMES) {
      if (name === 'unpricedIn') continue
      const { parameter, value, about } = VALUE_FILTERS[name]
      const flags = `--${parameter.replaceAll('_', '-')} <${value}>`
      this.option(flags, `requests ${about}`, valueParser(name))
    }
    return this
  }

  /** @param alone what the option means without a value; by default, `both`. */
  unpricedOption(alone?: string): this {
    const { value, about } = VALUE_FILTERS.unpricedIn
    const meaning = alone === undefined ? 'without a value, in both' : `without a value, ${alone}`
    const option = new Option(`--unpriced [${value}]`, `requests ${about}; ${meaning}`)
    option.argParser(valueParser('unpricedIn'))
    return this.addOption(alone === undefined ? option.preset('both') : option)
  }

  /** Adds an option that takes one of a few words. */
  choiceOption(flags: string, description: string, choices: readonly string[], standard?: string): this {
    return this.addOption(new Option(flags, description).choices(choices).default(standard))
  }

  numberOption(flags: string, description: string, least: number, greatest: number, standard?: number): this {
    return this.option(flags, description, wholeNumberBetween(least, greatest), standard)
  }

  /** Adds an option that can't be combined with others. */
  exclusiveOption(
    flags: string,
    description: string,
    others: string | string[],
    parse?: (text: string) => unknown,
  ): this {
    const option = new Option(flags, description).conflicts(others)
    return this.addOption(parse === undefined ? option : option.argParser(parse))
  }

  /**
   * Adds an option that the environment may also give: `REQUEST_JOURNAL_MAX_STREAMS` for
   * `--max-streams`.
   *
   * @param shown what the help shows in place of the default.
   */
  settingOption<T>(
    flags: string,
    description: string,
    parse?: (text: string, previous: T) => T,
    standard?: T,
    shown?: string,
  ): this {
    const option = new Option(flags, description).default(standard, shown)
    if (parse !== undefined) option.argParser(parse)
    return this.addOption(option.env(`REQUEST_JOURNAL_${option.name().toUpperCase().replaceAll('-', '_')}`))
  }

  examples(...lines: string[]): this {
    const title = lines.length > 1 ? 'Examples' : 'Example'
    return this.addHelpText('after', `\n${title}:\n${lines.map(wrapExample).join('\n')}`)
  }

  /** Names values that shells offer for an option that also takes others. */
  suggest(flag: string, values: readonly string[]): this {
    const option = this.options.find(({ long }) => long === flag)
    if (option !== undefined) suggestions.set(option, values)
    return this
  }
}

/** Breaks a command line before its options and pipes, so that it can be copied as it is. */
function wrapExample(line: string): string {
  const parts = line.split(/ (?=--|\||>)/)
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + part.length <= EXAMPLE_WIDTH)
      lines[lines.length - 1] += ` ${part}`
    else lines.push(part)
  }
  return `  $ ${lines.join(' \\\n      ')}`
}

function parseLabelNames(text: string, before: readonly string[] = []): string[] {
  const names = [...new Set([...before, ...text.split(',')])]
  if (names.includes('')) throw new InvalidArgumentError('Expected the name of a label, found nothing.')
  if (names.length > MAX_ROLLUP_LABELS) {
    throw new InvalidArgumentError(`Expected at most ${MAX_ROLLUP_LABELS} labels, found ${names.length}.`)
  }
  return names
}
