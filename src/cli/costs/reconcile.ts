import { type Command, InvalidArgumentError } from 'commander'
import { DATE_FORMATS } from '../../maintenance/reconcile/bill-dates.js'
import { MODEL_NAMES } from '../../maintenance/reconcile/model-names.js'
import type { ReconcileOptions } from '../../maintenance/reconcile/options.js'
import { PRESET_NAMES, PRESETS } from '../../maintenance/reconcile/presets.js'
import { parseTolerance, TOLERANCE_WORDS } from '../../maintenance/reconcile/tolerance.js'
import type { TimeZone } from '../../queries/window/time-zone.js'
import { withElapsedTime } from '../output/elapsed.js'
import { pageWidth, printAnswer } from '../output/standard-output.js'
import type { JsonFlag, ProgramCommand } from '../run/command.js'
import { parsePath, parseTimeZone, textThat } from '../run/options.js'
import { type Pairs, splitPair, withPair } from '../run/pairs.js'

interface ReconcileFlags extends JsonFlag, Omit<ReconcileOptions, 'columns' | 'timezone'> {
  dateColumn?: string
  modelColumn?: string
  costColumn?: string
  tokensColumn?: string[]
  timezone?: TimeZone
}

export function addReconcile(program: ProgramCommand): void {
  program
    .command('reconcile')
    .summary("compare a provider's bill with the log")
    .description(
      'Compares a bill, a CSV file with a header, with the costs in the database: per day and model what was ' +
        'billed, what was logged, the difference, and what only one side has. A difference is what was billed less what was ' +
        'logged. Nothing is written. The exit code is 1 if a day and model differ by more than the tolerance.',
    )
    .storeOption()
    .requiredOption('--bill <file>', 'the bill', parsePath)
    .choiceOption(
      '--preset <name>',
      'the provider whose export the bill is, so that its columns are known',
      PRESET_NAMES,
    )
    .option('--date-column <name>', 'the column with the day or the time')
    .option('--model-column <name>', 'the column with the model')
    .option('--cost-column <name>', 'the column with the cost')
    .option(
      '--tokens-column <name>',
      'a column with tokens, compared with input and output tokens; may be repeated to add columns up',
      (name: string, before: string[] = []) => [...before, name],
    )
    .choiceOption(
      '--date-format <order>',
      'the order of day, month and year in dates such as 11/12/2026; without it dates are written 2026-12-11',
      DATE_FORMATS,
    )
    .choiceOption('--currency <currency>', 'the currency of the bill', ['usd', 'sats'], 'usd')
    .settingOption(
      '--timezone <zone>',
      'the time zone whose days are compared, by its IANA name: Europe/Berlin; dates in the bill are days ' +
        'of it; UTC by default',
      parseTimeZone,
    )
    .choiceOption(
      '--by <model>',
      'which model of a request counts: the one that answered, where that is known, or the one that was asked for',
      ['response_model', 'model'],
      'response_model',
    )
    .choiceOption(
      '--model-names <rule>',
      'when two names are the same model: exact, if they are equal; undated, also if they differ in a date ' +
        'at the end, points or spaces. By default exact, or what the preset needs',
      MODEL_NAMES,
    )
    .option(
      '--alias <billed=logged>',
      "a model's name on the bill, and its name in the log; may be repeated",
      parseAlias,
    )
    .option('--provider <name>', 'requests of one provider: its whole name, in upper or lower case')
    .option('--since <day>', 'the first day to compare; by default the first of the bill')
    .option('--until <day>', 'the last day to compare; by default the last of the bill')
    .option(
      '--tolerance <difference>',
      `how large a difference may be: ${TOLERANCE_WORDS}`,
      textThat((text) => parseTolerance(text) !== null, `Expected ${TOLERANCE_WORDS}.`),
      '1%',
    )
    .jsonOption()
    .examples(
      'request-journal reconcile --bill costs.csv --preset openai --provider openai',
      'request-journal reconcile --bill bill.csv --date-column Day --model-column Model --cost-column USD --tolerance 1%,0.05',
    )
    .action(runReconcile)
}

async function runReconcile(flags: ReconcileFlags, command: Command): Promise<void> {
  const { reconcile } = await import('../../maintenance/reconcile/reconcile.js')
  const { resolveOptions } = await import('../../maintenance/reconcile/options.js')
  const { formatReconciliation } = await import('./reconcile-page.js')
  const { dateColumn, modelColumn, costColumn, tokensColumn, ...options } = flags
  const missing = Object.entries({ date: dateColumn, model: modelColumn, cost: costColumn })
    .filter(([, column]) => column === undefined)
    .map(([name]) => `--${name}-column`)
  if (flags.preset === undefined && missing.length > 0) {
    command.error(`error: reconcile needs '--preset', or the bill's columns: add ${missing.join(', ')}`)
  }
  const columns = { date: dateColumn, model: modelColumn, cost: costColumn, tokens: tokensColumn }
  // A zone from the environment isn't meant for an export by days of UTC.
  const isMeant =
    command.getOptionValueSource('timezone') === 'cli' ||
    flags.preset === undefined ||
    !PRESETS[flags.preset].isByDay
  const timezone = isMeant ? flags.timezone?.name : undefined
  const asked = { ...options, columns, timezone }
  try {
    resolveOptions(asked)
  } catch (error) {
    if (error instanceof RangeError) command.error(`error: option --${error.message}`)
    throw error
  }
  const found = await withElapsedTime(() => reconcile(asked))
  printAnswer(found, flags, (answer) => formatReconciliation(answer, pageWidth()))
  if (found.over > 0) process.exitCode = 1
}

function parseAlias(text: string, before: Pairs = {}): Pairs {
  const expected = "Expected billed=logged, such as 'Claude Sonnet 4.5=claude-sonnet-4-5'."
  const [billed, logged] = splitPair(text, expected).map((name) => name.trim())
  if (!billed || !logged) throw new InvalidArgumentError(expected)
  return withPair(before, billed, logged)
}
