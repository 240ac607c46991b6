import { countText } from '../../maintenance/count-text.js'
import type { UnpricedAnswer } from '../../queries/costs/unpriced.js'
import { formatCount, formatTime } from '../output/format.js'
import { pageWidth, printAnswer } from '../output/standard-output.js'
import { formatTable } from '../output/table.js'
import type { CommonFlags, ProgramCommand } from '../run/command.js'
import { askDatabase } from '../run/database.js'
import { type FilterFlags, filterOf } from '../run/filter-options.js'

export function addPricesUnpriced(prices: ProgramCommand): void {
  prices
    .command('unpriced')
    .summary('models without a price')
    .description(
      'Lists the models without a price: requests with known tokens whose cost nobody has told and for which no ' +
        'price is in force, by provider, model and service tier, those with most tokens first.',
    )
    .storeOption()
    .filterOptions()
    .jsonOption()
    .examples('request-journal prices unpriced --range 7d')
    .action(async (flags: FilterFlags & Pick<CommonFlags, 'db' | 'json'>) => {
      const { unpriced } = await import('../../queries/costs/unpriced.js')
      const answer = await askDatabase(flags, (database) => unpriced(database, filterOf(flags)))
      printAnswer(answer, flags, (found) => formatUnpriced(found, pageWidth()))
    })
}

function formatUnpriced({ unpriced, without_usage }: UnpricedAnswer, width: number): string {
  const rest =
    without_usage === 0
      ? ''
      : `${countText(without_usage, 'request')} without a cost that no price would change: tokens aren't known, or are more in a part than in the whole`
  if (unpriced.length === 0) return rest === '' ? 'every request has a cost' : rest
  const hasResponse = unpriced.some(({ response_model }) => response_model !== null)
  const hasTier = unpriced.some(({ service_tier }) => service_tier !== null)
  const table = formatTable(
    [
      { title: 'provider' },
      { title: 'model', shrinksTo: 12 },
      ...(hasResponse ? [{ title: 'answered by', shrinksTo: 12 }] : []),
      ...(hasTier ? [{ title: 'tier' }] : []),
      { title: 'requests', align: 'right' },
      { title: 'tokens in', align: 'right' },
      { title: 'tokens out', align: 'right' },
      { title: 'first', dropRank: 2 },
      { title: 'last', dropRank: 1 },
    ],
    unpriced.map((model) => [
      model.provider ?? 'none',
      model.model,
      ...(hasResponse ? [model.response_model ?? ''] : []),
      ...(hasTier ? [model.service_tier ?? ''] : []),
      formatCount(model.requests),
      formatCount(model.input_tokens),
      formatCount(model.output_tokens),
      formatTime(model.first),
      formatTime(model.last),
    ]),
    width,
  )
  return rest === '' ? table : `${table}\n${rest}`
}
