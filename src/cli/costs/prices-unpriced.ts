import type { UnpricedAnswer, UnpricedCount, UnpricedModel } from '../../queries/costs/unpriced.js'
import type { UnpricedReason } from '../../queries/costs/unpriced-reason.js'
import { formatCount, formatTime } from '../output/format.js'
import { pageWidth, printAnswer } from '../output/standard-output.js'
import { formatTable } from '../output/table.js'
import { unpricedText } from '../output/totals.js'
import type { ProgramCommand } from '../run/command.js'
import { askDatabase } from '../run/database.js'
import { type FilterFlags, filterOf } from '../run/filter-options.js'

export function addPricesUnpriced(prices: ProgramCommand): void {
  prices
    .command('unpriced')
    .summary('models without a price, and why requests have no cost')
    .description(
      'Lists the models without a price: requests with known tokens whose cost was not logged and for which ' +
        'no price is in force, by provider, model and service tier, those with the most tokens first. Then it ' +
        'lists why requests are unpriced, and what helps: together these are all that `stats` counts as ' +
        'unpriced.',
    )
    .storeOption()
    .filterOptions()
    .jsonOption()
    .examples('request-journal prices unpriced --range 7d')
    .action(async (flags: FilterFlags) => {
      const { unpriced } = await import('../../queries/costs/unpriced.js')
      const answer = await askDatabase(flags, (database) => unpriced(database, filterOf(flags)))
      printAnswer(answer, flags, (found) => formatUnpriced(found, pageWidth()))
    })
}

function formatUnpriced(answer: UnpricedAnswer, width: number): string {
  const { unpriced, reasons } = answer
  if (reasons.length === 0) return 'every request has a cost'
  const why = [...totals(answer), '', formatReasons(reasons, width)].join('\n')
  return unpriced.length === 0 ? why : `${formatModels(unpriced, width)}\n\n${why}`
}

/** `375 unpriced (123 failed)`, for each currency if they differ. */
function totals({ reasons, currencies }: UnpricedAnswer): string[] {
  const sumOf = (currency: string) => {
    const own = reasons.filter((reason) => reason.currency === currency || reason.currency === 'both')
    const sum = (name: 'requests' | 'error') => own.reduce((all, count) => all + count[name], 0)
    return unpricedText(sum('requests'), sum('error'))
  }
  if (currencies.length < 2) return [sumOf(currencies[0] ?? 'both')]
  return currencies.map((currency) => `in ${currency}: ${sumOf(currency)}`)
}

function formatReasons(reasons: readonly UnpricedCount[], width: number): string {
  const isOneCurrency = reasons.every(({ currency }) => currency === 'both')
  return formatTable(
    [
      { title: 'requests', align: 'right', cell: ({ requests }) => formatCount(requests) },
      { title: 'failed', align: 'right', cell: ({ error }) => formatCount(error) },
      { title: 'reason', cell: ({ reason }) => REASONS[reason].name },
      ...(isOneCurrency ? [] : [{ title: 'without', cell: lackOf }]),
      { title: 'what helps', cell: ({ reason }) => REASONS[reason].help },
    ],
    reasons,
    width,
  )
}

function lackOf({ currency }: UnpricedCount): string {
  return currency === 'both' ? 'any cost' : currency
}

const REASONS: Readonly<Record<UnpricedReason, { name: string; help: string }>> = {
  no_price: { name: 'no price', help: 'prices set, or prices import' },
  price_not_in_force: {
    name: 'price not in force',
    help: 'prices set --valid-from a time before the first, or for this provider or tier',
  },
  unknown_tokens: {
    name: 'tokens unknown',
    help: 'log them; streams: proxy --include-usage, includeUsage, or stream_options.include_usage',
  },
  inconsistent_tokens: { name: 'inconsistent tokens', help: 'log parts that are no more than the whole' },
  failed_without_usage: {
    name: 'failed, without tokens',
    help: 'nothing: it counts as not billed, but the provider may bill a part of an aborted stream',
  },
  no_rate: { name: 'no exchange rate', help: 'rates set --at a time in the 24 hours before' },
  to_be_repriced: { name: 'to be repriced', help: 'project: the cost is computed soon' },
}

/** Says whether a model has no price, or one that wasn't in force for all of its requests. */
function priceOf({ requests, not_in_force }: UnpricedModel): string {
  if (not_in_force === 0) return 'none'
  return not_in_force === requests ? 'not in force' : `not in force for ${formatCount(not_in_force)}`
}

function formatModels(unpriced: readonly UnpricedModel[], width: number): string {
  return formatTable(
    [
      { title: 'provider', cell: ({ provider }) => provider ?? 'none' },
      { title: 'model', shrinksTo: 12, cell: ({ model }) => model },
      { title: 'answered by', shrinksTo: 12, isRare: true, cell: ({ response_model }) => response_model },
      { title: 'tier', isRare: true, cell: ({ service_tier }) => service_tier },
      { title: 'price', cell: priceOf },
      { title: 'requests', align: 'right', cell: ({ requests }) => formatCount(requests) },
      { title: 'tokens in', align: 'right', cell: ({ input_tokens }) => formatCount(input_tokens) },
      { title: 'tokens out', align: 'right', cell: ({ output_tokens }) => formatCount(output_tokens) },
      { title: 'first', dropRank: 2, cell: ({ first }) => formatTime(first) },
      { title: 'last', dropRank: 1, cell: ({ last }) => formatTime(last) },
    ],
    unpriced,
    width,
  )
}
