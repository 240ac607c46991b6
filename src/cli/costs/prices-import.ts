import { resolve } from 'node:path'
import type { Command } from 'commander'
import { countText } from '../../maintenance/count-text.js'
import type { PriceImport, PriceImportOptions, PriceSource } from '../../maintenance/prices/import-prices.js'
import type { PriceChange } from '../../maintenance/prices/price-diff.js'
import { withElapsedTime } from '../output/elapsed.js'
import { formatCount } from '../output/format.js'
import type { CommonFlags, ProgramCommand } from '../run/command.js'
import { entryLines, finishPlan } from './import-plan.js'
import { parseModelPair, parseProvider, parseStart } from './price-options.js'
import { figuresText, keyText } from './price-text.js'

interface ImportFlags extends CommonFlags, Omit<PriceImportOptions, 'source' | keyof CommonFlags> {
  from?: PriceSource['from']
  provider?: Record<string, string>
  yes?: true
}

export function addPricesImport(prices: ProgramCommand): void {
  prices
    .command('import')
    .summary('show what a list of prices would change, and import it')
    .argument(
      '[file...]',
      "LiteLLM's model_prices_and_context_window.json, or a CSV file; without --from, put the word litellm " +
        'or csv before it',
    )
    .description(
      'Shows what a list of prices would change: prices that are new, changed (the old one and the new one) ' +
        'or gone. With --yes it appends those that are new or changed to the journal. Only exact names match. ' +
        'If the list may have a model of the log under another name, it is proposed, and gets that price if ' +
        '--alias names it, or if you confirm it: with --yes on a terminal you are asked about each. What a ' +
        'price_set can’t express exactly is left out and listed with the reason. Prices from LiteLLM and ' +
        'genai-prices don’t replace prices that were set in another way. A file with anything wrong in it is ' +
        'refused as a whole.',
    )
    .journalOption()
    .storeOption()
    .choiceOption(
      '--from <list>',
      'where the list is from: the installed package genai-prices, or a file of this kind',
      ['genai-prices', 'litellm', 'csv'],
    )
    .option(
      '--valid-from <time>',
      'when prices without a date of their own take effect; by default now, so that older requests keep their cost',
      parseStart,
    )
    .option(
      '--provider <name[=yours]>',
      'only prices of this provider, under the name that it has in your log; may be repeated',
      parseProvider,
    )
    .option('--used', 'only prices of models that are in the log or have a price already')
    .option(
      '--alias <model=listed>',
      'give a model of the log the price of this model of the list; may be repeated',
      parseModelPair,
    )
    .option('--overwrite', 'also replace prices that were set in another way')
    .option('--withdraw-gone', 'end the prices of models that the list no longer has')
    .option('--yes', 'append the prices; without it nothing is written')
    .jsonOption()
    .examples(
      'request-journal prices import --from genai-prices --provider openai --provider anthropic',
      'request-journal prices import --from litellm model_prices_and_context_window.json --used --yes',
      'request-journal prices import --from csv our-prices.csv --yes',
    )
    .action(importPrices)
}

/** `--from csv FILE`, or `csv FILE` without the option. */
function sourceOf(words: readonly string[], from: string | undefined, command: Command): PriceSource {
  const refuse = (message: string) => command.error(`error: ${message}`)
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

async function importPrices(words: string[], flags: ImportFlags, command: Command): Promise<void> {
  const source = sourceOf(words, flags.from, command)
  const { planPriceImport } = await import('../../maintenance/prices/import-prices.js')
  const { priceEvents } = await import('../../maintenance/prices/price-diff.js')
  const asked = { ...flags, source, providers: flags.provider }
  const plan = await confirmedPlan(await withElapsedTime(() => planPriceImport(asked)), flags, (confirmed) =>
    planPriceImport({ ...asked, confirmed }),
  )
  await finishPlan(plan, priceEvents(plan), 'price', flags, () => planLines(plan))
}

/** Asks about proposals if prices are to be written and somebody can answer. */
async function confirmedPlan(
  plan: PriceImport,
  { yes, json }: ImportFlags,
  planWith: (confirmed: PriceImport['proposals']) => Promise<PriceImport>,
): Promise<PriceImport> {
  const { confirmProposals, canAskPerson, withTerminal } = await import('./confirm-proposals.js')
  if (!yes || json || plan.proposals.length === 0 || !canAskPerson()) return plan
  const confirmed = await withTerminal((ask) => confirmProposals(plan.proposals, ask))
  return confirmed.length === 0 ? plan : await planWith(confirmed)
}

function planLines(plan: PriceImport): string[] {
  return [
    ...section('new', plan.new, (change) => ` ${figuresText(change.new)}`),
    ...section('changed', plan.changed, oldAgainstNew),
    ...entryLines(
      'gone from the list, and still in force (--withdraw-gone ends them)',
      plan.gone.map((price) => `${keyText(price)} ${figuresText(price)}`),
    ),
    ...section(
      'kept, since they were set in another way (--overwrite replaces them)',
      plan.kept,
      oldAgainstNew,
    ),
    ...entryLines(
      'left out',
      plan.left_out.map(
        ({ provider, model, reason }) => `${model} (${provider ?? 'any provider'}): ${reason}`,
      ),
    ),
    ...entryLines(
      'proposed for models without a price (--alias takes one; --yes asks about each on a terminal)',
      plan.proposals.map(
        ({ provider, name, model, rule, requests }) =>
          `--alias '${name}=${model}'  ${provider ?? 'no provider'}, ${countText(requests, 'request')}: ${rule}`,
      ),
    ),
    `${plan.source}: ${counts(plan)}`,
  ]
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
  return entryLines(
    title,
    changes.map((change) => `${keyText(change.new)} from ${change.new.valid_from}${describe(change)}`),
  )
}

function oldAgainstNew({ old, new: price }: PriceChange): string {
  const before =
    old === null ? 'nothing' : `${figuresText(old)} since ${old.valid_from} (${old.source ?? 'no source'})`
  return ` ${before} → ${figuresText(price)}`
}
