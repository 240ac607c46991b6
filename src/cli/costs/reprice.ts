import type { RepricedGroup, RepriceReport } from '../../maintenance/reprice.js'
import { CURRENCIES, type Currency } from '../../queries/window/currency.js'
import { amountFormatter } from '../output/amounts.js'
import { withElapsedTime } from '../output/elapsed.js'
import { formatCount } from '../output/format.js'
import { pageWidth, printAnswer } from '../output/standard-output.js'
import { type Column, formatTable } from '../output/table.js'
import type { ProgramCommand } from '../run/command.js'
import { type FilterFlags, filterOf } from '../run/filter-options.js'
import { parsePath } from '../run/options.js'

interface RepriceFlags extends FilterFlags {
  dryRun?: true
  pricesFile?: string
}

export function addReprice(program: ProgramCommand): void {
  const command: ProgramCommand = program
    .command('reprice')
    .summary('what the log would cost with other prices')
    .description(
      'Shows what the requests would cost with the prices in force or with those of a file: the old cost, ' +
        'the new one and the difference, per day and model. Nothing is written, so --dry-run is required: the ' +
        'projector reprices by itself when prices are appended.',
    )
    .storeOption()
    .option('--dry-run', 'only show what would change')
    .option(
      '--prices <file>',
      'a file of prices to use as if they had been in force: CSV as for `prices import --from csv`, or ' +
        'LiteLLM’s (*.json)',
      parsePath,
    )
    .filterOptions()
    .jsonOption()
    .examples(
      'request-journal reprice --dry-run --prices next-year.csv --range 30d',
      'request-journal reprice --dry-run --model gpt-4o --json',
    )
    .action(async (flags: RepriceFlags) => {
      if (!flags.dryRun) {
        const why =
          'the projector reprices by itself when prices are appended; --dry-run shows what would change'
        command.error(`error: ${why}`, { exitCode: 2 })
      }
      const { reprice } = await import('../../maintenance/reprice.js')
      const { database, schema, pricesFile, timezone } = flags
      const asked = { ...filterOf(flags), database, schema, pricesFile, timezone: timezone?.name }
      printAnswer(await withElapsedTime(() => reprice(asked)), flags, (report) =>
        formatReport(report, flags.currency, pageWidth()),
      )
    })
}

function formatReport(
  { timezone, groups, total }: RepriceReport,
  asked: Currency | undefined,
  width: number,
): string {
  if (total.requests === 0) return 'no requests'
  const known = CURRENCIES.filter((currency) => total.old[currency] !== null || total.new[currency] !== null)
  const currencies = asked === undefined ? known : [asked]
  const formats = currencies.map((currency) => {
    const costs = [total, ...groups].flatMap(({ old, new: after }) => [old[currency], after[currency]])
    return [currency, amountFormatter(currency, costs)] as const
  })
  const table = formatTable(
    [
      { title: `day (${timezone})` },
      { title: 'model', shrinksTo: 12 },
      { title: 'requests', align: 'right', dropRank: 2 },
      { title: 'changed', align: 'right', dropRank: 3 },
      ...currencies.flatMap((currency) => [
        { title: `old ${currency}`, align: 'right', dropRank: 1 } as const,
        { title: `new ${currency}`, align: 'right' } as const,
        { title: currencies.length > 1 ? `± ${currency}` : 'difference', align: 'right' } as const,
      ]),
      ...currencies.map((currency, index): Column => {
        const title = currencies.length > 1 ? `unpriced ${currency}` : 'unpriced'
        return { title, align: 'right', ...(index === 0 ? {} : { dropRank: 4 }) }
      }),
    ],
    [...groups.map((group) => row(group.day, group.model, group, formats)), row('total', '', total, formats)],
    width,
  )
  return table
}

function row(
  day: string,
  model: string,
  { requests, changed, old, new: after, difference }: Omit<RepricedGroup, 'day' | 'model'>,
  formats: readonly (readonly [Currency, ReturnType<typeof amountFormatter>])[],
): string[] {
  const unpriced = formats.map(([currency]) => {
    const [before, now] = [old, after].map((sums) => formatCount(sums[`unpriced_${currency}`]))
    return before === now ? `${now}` : `${before} → ${now}`
  })
  const costs = formats.flatMap(([currency, format]) =>
    [old, after, difference].map((amounts) => format(amounts[currency])),
  )
  return [day, model, formatCount(requests), formatCount(changed), ...costs, ...unpriced]
}
