import type { Command } from 'commander'
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
  program
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
    .action(async (flags: RepriceFlags, command: Command) => {
      if (!flags.dryRun) {
        const why =
          'the projector reprices by itself when prices are appended; --dry-run shows what would change'
        command.error(`error: ${why}`)
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
  const isOne = currencies.length === 1
  return formatTable<RepricedGroup>(
    [
      { title: `day (${timezone})`, cell: ({ day }) => day },
      { title: 'model', shrinksTo: 12, cell: ({ model }) => model },
      { title: 'requests', align: 'right', dropRank: 2, cell: ({ requests }) => formatCount(requests) },
      { title: 'changed', align: 'right', dropRank: 3, cell: ({ changed }) => formatCount(changed) },
      ...currencies.flatMap((currency) => costColumns(currency, [total, ...groups], isOne)),
      ...currencies.map((currency, index) => unpricedColumn(currency, isOne, index === 0 ? undefined : 4)),
    ],
    [...groups, { day: 'total', model: '', ...total }],
    width,
  )
}

function costColumns(
  currency: Currency,
  sums: readonly RepriceReport['total'][],
  isOne: boolean,
): Column<RepricedGroup>[] {
  const costs = sums.flatMap(({ old, new: after }) => [old[currency], after[currency]])
  const format = amountFormatter(currency, costs)
  const difference = isOne ? 'difference' : `± ${currency}`
  return [
    { title: `old ${currency}`, align: 'right', dropRank: 1, cell: ({ old }) => format(old[currency]) },
    { title: `new ${currency}`, align: 'right', cell: (group) => format(group.new[currency]) },
    { title: difference, align: 'right', cell: (group) => format(group.difference[currency]) },
  ]
}

function unpricedColumn(currency: Currency, isOne: boolean, dropRank?: number): Column<RepricedGroup> {
  const cell = (group: RepricedGroup) => {
    const [before, now] = [group.old, group.new].map((sums) => formatCount(sums[`unpriced_${currency}`]))
    return before === now ? `${now}` : `${before} → ${now}`
  }
  return { title: isOne ? 'unpriced' : `unpriced ${currency}`, align: 'right', dropRank, cell }
}
