import { PRICE_PARTS } from '../../events/event-types.js'
import { nearestName } from '../../events/nearest-name.js'
import { isWithdrawn } from '../../folds/costs/price.js'
import type { PriceAnswer, PriceInForce, PricesOptions } from '../../queries/costs/prices.js'
import { formatCount, formatInstant, formatTime } from '../output/format.js'
import { pageWidth, printAnswer } from '../output/standard-output.js'
import { type Column, formatTable } from '../output/table.js'
import type { CommonFlags, ProgramCommand } from '../run/command.js'
import { askDatabase } from '../run/database.js'
import { parseStart } from './price-options.js'
import { addPricesImport } from './prices-import.js'
import { addPricesSet } from './prices-set.js'
import { addPricesUnpriced } from './prices-unpriced.js'

type PricesFlags = CommonFlags & PricesOptions

export function addPrices(program: ProgramCommand): void {
  const prices = program
    .command('prices')
    .summary('the prices in force; set, import, unpriced')
    .description(
      'Prices are events of the journal, from which the projector computes what requests cost. Without a ' +
        'subcommand this lists the prices in force.',
    )
  // A mistyped command would be taken for an argument of `list`, and its options for unknown ones.
  prices.hook('preSubcommand', () => {
    const [word = ''] = prices.args
    const isKnown =
      word === '' || word.startsWith('-') || prices.commands.some((command) => command.name() === word)
    if (!isKnown) prices.error(unknownWord(word, prices))
  })
  addPricesList(prices)
  addPricesSet(prices)
  addPricesImport(prices)
  addPricesUnpriced(prices)
}

function addPricesList(prices: ProgramCommand): void {
  prices
    .command('list', { isDefault: true })
    .summary('the prices in force')
    .description(
      'Lists the prices that are in force: for which model, provider, service tier and number of tokens, since when, ' +
        'and from where.',
    )
    .storeOption()
    .option(
      '--at <time>',
      'the prices in force at this time, such as 2026-11-22, 2026-11-22T19:43Z or 2d (ago)',
      parseStart,
    )
    .exclusiveOption('--all', 'all prices that were ever set, and when each ended', 'at')
    .option('--model <name>', 'the prices of one model: its exact name')
    .option('--provider <name>', 'the prices for one provider: its exact name')
    .jsonOption()
    .examples(
      'request-journal prices',
      'request-journal prices --model gpt-4o --at 2026-01-01',
      'request-journal prices --all',
    )
    .allowExcessArguments()
    .action(async (flags: PricesFlags, command: ProgramCommand) => {
      const [word] = command.args
      if (word !== undefined) command.error(unknownWord(word, prices))
      await listPrices(flags)
    })
}

function unknownWord(word: string, prices: ProgramCommand): string {
  const names = prices.commands.map((command) => command.name())
  const nearest = nearestName(word, names)
  const hint = nearest === null ? '; --model lists the prices of one model' : `; the nearest is '${nearest}'`
  return `error: unknown command '${word}', expected ${names.join(', ')}${hint}`
}

async function listPrices(flags: PricesFlags): Promise<void> {
  const { prices } = await import('../../queries/costs/prices.js')
  const { at, model, provider, all = false } = flags
  const answer = await askDatabase(flags, (database) => prices(database, { at, all, model, provider }))
  printAnswer(answer, flags, (found) => formatPrices(found, all, pageWidth()))
}

function formatPrices({ at, prices }: PriceAnswer, isHistory: boolean, width: number): string {
  if (prices.length === 0) {
    return isHistory ? 'no price was set' : `no price is in force at ${formatTime(at)}; --all lists others`
  }
  const table = formatTable(
    [
      { title: 'model', shrinksTo: 12, cell: ({ model }) => model },
      { title: 'provider', cell: ({ provider }) => provider ?? 'any' },
      { title: 'tier', isRare: true, cell: ({ service_tier }) => service_tier },
      { title: 'from tokens', align: 'right', isRare: true, cell: leastTokens },
      {
        title: 'currency',
        cell: (price) => (isHistory && isWithdrawn(price) ? 'withdrawn' : price.currency),
      },
      ...PRICE_PARTS.map((part): Column<PriceInForce> => {
        const title = part.replaceAll('_', ' ')
        return { title, align: 'right', isRare: true, cell: (price) => price.per_million?.[part] ?? null }
      }),
      { title: 'a request', align: 'right', isRare: true, cell: ({ per_request }) => per_request },
      { title: 'since', cell: ({ valid_from }) => formatInstant(valid_from) },
      ...(isHistory ? [{ title: 'until', cell: endOf }] : []),
      { title: 'source', shrinksTo: 10, dropRank: 1, cell: ({ source }) => source },
      { title: 'place', dropRank: 2, cell: ({ segment, byte_offset }) => `${segment}:${byte_offset}` },
    ],
    prices,
    width,
  )
  return `${table}\nfor a million tokens each`
}

function leastTokens({ min_input_tokens: least }: PriceInForce): string | null {
  return least === null ? null : formatCount(least)
}

/** When a price ended: at once, if one with the same `valid_from` corrected it. */
function endOf({ until = null, valid_from }: PriceInForce): string {
  if (until === null) return ''
  return until === valid_from ? 'corrected' : formatInstant(until)
}
