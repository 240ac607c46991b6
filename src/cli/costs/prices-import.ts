import { resolve } from 'node:path'
import { countText } from '../../maintenance/count-text.js'
import type { PriceImport, PriceSource } from '../../maintenance/prices/import-prices.js'
import type { PriceChange } from '../../maintenance/prices/price-diff.js'
import { withElapsedTime } from '../output/elapsed.js'
import { formatCount } from '../output/format.js'
import { note } from '../output/standard-error.js'
import { printAnswer } from '../output/standard-output.js'
import { visible } from '../output/terminal.js'
import type { CommonFlags, ProgramCommand } from '../run/command.js'
import { parseNameOrPair, parsePair, parseStart } from './price-options.js'
import { figuresText, keyText } from './price-text.js'

/** How many entries of a kind are shown; `--json` has them all. */
const SHOWN = 20

interface ImportFlags extends CommonFlags {
  from?: PriceSource['from']
  validFrom?: string
  provider?: Record<string, string>
  used?: true
  alias?: Record<string, string>
  overwrite?: true
  withdrawGone?: true
  yes?: true
}

export function addPricesImport(prices: ProgramCommand): void {
  const command: ProgramCommand = prices
    .command('import')
    .summary('prices from a list, the difference first')
    .argument(
      '[file...]',
      "LiteLLM's model_prices_and_context_window.json, or a CSV file; without --from after the word litellm or csv",
    )
    .description(
      'Shows what a list of prices would change: new, changed, gone, old against new; with --yes it appends ' +
        'the new and changed ones to the journal. Only exact names are taken. A model of the log that a name of the list ' +
        'may mean is proposed, and taken if --alias names it, or if a person confirms it: with --yes on a terminal each is asked about. What a price_set can’t say exactly is left out and ' +
        'listed with the reason. Prices from LiteLLM and genai-prices don’t replace those that were set otherwise. A file with ' +
        'anything wrong in it is refused whole.',
    )
    .journalOption()
    .storeOption()
    .choiceOption('--from <list>', 'where the list is from: an installed package, or a file of this kind', [
      'genai-prices',
      'litellm',
      'csv',
    ])
    .option(
      '--valid-from <time>',
      'since when prices without a date of their own are in force; now without it, so that older requests keep their cost',
      parseStart,
    )
    .option(
      '--provider <name[=yours]>',
      'only prices of this provider, under the name that your log has; may be repeated',
      parseNameOrPair,
    )
    .option('--used', 'only prices of models that the log has, and of those that have a price')
    .option(
      '--alias <model=listed>',
      'a model of the log costs what this model of the list costs; may be repeated',
      parsePair,
    )
    .option('--overwrite', 'replace prices that were set otherwise as well')
    .option('--withdraw-gone', 'end the prices of models that the list no longer has')
    .option('--yes', 'append the prices; without it nothing is written')
    .jsonOption()
    .examples(
      'request-journal prices import --from genai-prices --provider openai --provider anthropic',
      'request-journal prices import --from litellm model_prices_and_context_window.json --used --yes',
      'request-journal prices import --from csv our-prices.csv --yes',
    )
    .action(async (words: string[], flags: ImportFlags) => {
      const refuse = (message: string) => command.error(`error: ${message}`, { exitCode: 2 })
      await importPrices(sourceOf(words, flags.from, refuse), flags)
    })
}

/** `--from csv FILE`, or `csv FILE` without the option. */
function sourceOf(
  words: readonly string[],
  from: string | undefined,
  refuse: (message: string) => never,
): PriceSource {
  const [kind, file, ...rest] = from === undefined ? words : [from, ...words]
  if (file === '') return refuse('expected the path of a file, found an empty text')
  if (rest.length > 0) return refuse(`found '${rest.join(' ')}' after the file, expected nothing`)
  switch (kind) {
    case 'genai-prices':
      return file === undefined ? { from: kind } : refuse('genai-prices is a package: expected no file')
    case 'litellm':
    case 'csv':
      return file === undefined
        ? refuse(`expected a file after '${kind}'`)
        : { from: kind, file: resolve(file) }
    default:
      return refuse('expected --from genai-prices, --from litellm FILE or --from csv FILE')
  }
}

async function importPrices(source: PriceSource, flags: ImportFlags): Promise<void> {
  const { planPriceImport, priceEvents } = await import('../../maintenance/prices/import-prices.js')
  const {
    journal,
    db: database,
    schema,
    validFrom,
    provider: providers,
    alias: aliases,
    used,
    overwrite,
    withdrawGone,
  } = flags
  const asked = {
    source,
    journal,
    database,
    schema,
    validFrom,
    providers,
    aliases,
    used,
    overwrite,
    withdrawGone,
  }
  const plan = await confirmedPlan(await withElapsedTime(() => planPriceImport(asked)), flags, (confirmed) =>
    planPriceImport({ ...asked, confirmed }),
  )
  if (!plan.has_database) note(`${visible(database)} doesn't exist: every price counts as new`)
  const events = priceEvents(plan)
  if (flags.yes && events.length > 0) {
    const { appendEvents } = await import('./append-events.js')
    await appendEvents(flags, events)
  }
  const appended = flags.yes ? events.length : 0
  printAnswer({ ...plan, appended }, flags, () => formatPlan(plan, events.length, flags))
}

/** Asks about proposals if prices are to be written and a person is there. */
async function confirmedPlan(
  plan: PriceImport,
  { yes, json }: ImportFlags,
  planWith: (confirmed: PriceImport['proposals']) => Promise<PriceImport>,
): Promise<PriceImport> {
  const { confirmProposals, isPersonThere, withTerminal } = await import('./confirm-proposals.js')
  if (!yes || json || plan.proposals.length === 0 || !isPersonThere()) return plan
  const confirmed = await withTerminal((ask) => confirmProposals(plan.proposals, ask))
  return confirmed.length === 0 ? plan : await planWith(confirmed)
}

function formatPlan(plan: PriceImport, count: number, { yes, journal }: ImportFlags): string {
  const sections = [
    ...section('new', plan.new, (change) => ` ${figuresText(change.new)}`),
    ...section('changed', plan.changed, oldAgainstNew),
    ...entries(
      'gone from the list, and still in force (--withdraw-gone ends them)',
      plan.gone.map((price) => `${keyText(price)} ${figuresText(price)}`),
    ),
    ...section('kept, since they were set otherwise (--overwrite replaces them)', plan.kept, oldAgainstNew),
    ...entries(
      'left out',
      plan.left_out.map(
        ({ provider, model, reason }) => `${model} (${provider ?? 'any provider'}): ${reason}`,
      ),
    ),
    ...entries(
      'proposed for models without a price (--alias takes one; --yes asks about each on a terminal)',
      plan.proposals.map(
        ({ provider, name, model, rule, requests }) =>
          `--alias '${name}=${model}'  ${provider ?? 'no provider'}, ${countText(requests, 'request')}: ${rule}`,
      ),
    ),
    `${plan.source}: ${counts(plan)}`,
    endOf(count, yes, journal),
  ]
  return sections.map(visible).join('\n')
}

function endOf(count: number, yes: true | undefined, journal: string): string {
  if (count === 0) return 'Nothing to append'
  return yes
    ? `${countText(count, 'price')} appended to ${journal}`
    : `Nothing was written: --yes appends ${countText(count, 'price')}`
}

function counts({ new: added, changed, gone, kept, unchanged, left_out }: PriceImport): string {
  const all = { new: added.length, changed: changed.length, unchanged, gone: gone.length, kept: kept.length }
  return [...Object.entries(all), ['left out', left_out.length] as const]
    .map(([name, count]) => `${formatCount(count)} ${name}`)
    .join(', ')
}

function section(
  title: string,
  changes: readonly PriceChange[],
  describe: (change: PriceChange) => string,
): string[] {
  return entries(
    title,
    changes.map((change) => `${keyText(change.new)} from ${change.new.valid_from}${describe(change)}`),
  )
}

function oldAgainstNew({ old, new: price }: PriceChange): string {
  const before =
    old === null ? 'nothing' : `${figuresText(old)} since ${old.valid_from} (${old.source ?? 'no source'})`
  return ` ${before} → ${figuresText(price)}`
}

/** A list under a title; none of nothing. */
function entries(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  const shown = lines.slice(0, SHOWN).map((line) => `  ${line}`)
  const more =
    lines.length > SHOWN ? [`  … and ${formatCount(lines.length - SHOWN)} more (--json has all)`] : []
  return [`${title}:`, ...shown, ...more, '']
}
