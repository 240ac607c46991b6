import type { RateInput } from '../../events/event-types.js'
import type { RateChange } from '../../maintenance/prices/import-rates.js'
import type { ListedRate } from '../../queries/costs/rates.js'
import { withElapsedTime } from '../output/elapsed.js'
import { formatCount, formatInstant } from '../output/format.js'
import { pageWidth, printAnswer } from '../output/standard-output.js'
import { type Column, formatTable } from '../output/table.js'
import { visible } from '../output/terminal.js'
import type { CommonFlags, ProgramCommand } from '../run/command.js'
import { askDatabase } from '../run/database.js'
import { parsePath } from '../run/options.js'
import { entryLines, finishPlan } from './import-plan.js'
import { parseRate, parseStart } from './price-options.js'

const RATE_COLUMNS: readonly Column<ListedRate>[] = [
  { title: 'time (UTC)', cell: ({ observed_at }) => formatInstant(observed_at) },
  { title: 'usd per btc', align: 'right', cell: ({ usd_per_btc }) => usd_per_btc },
  { title: 'source', shrinksTo: 10, dropRank: 1, cell: ({ source }) => source ?? '' },
  { title: 'place', dropRank: 2, cell: ({ segment, byte_offset }) => `${segment}:${byte_offset}` },
]

export function addRates(program: ProgramCommand): void {
  const command = program
    .command('rates')
    .summary('exchange rates: list, set, import')
    .description(
      'Exchange rates are events of the journal: what a bitcoin cost in dollars. A cost in one currency is ' +
        'computed from the other one by the newest rate that was observed at or before the request, but at ' +
        'most 24 hours before it.',
    )
  addRatesList(command)
  addRatesSet(command)
  addRatesImport(command)
}

function addRatesList(rates: ProgramCommand): void {
  rates
    .command('list')
    .summary('all rates, the newest first')
    .description(
      'Lists every exchange rate that was observed: when, what a bitcoin cost in dollars, and from where. ' +
        'Of several at the same time, the one that was appended last counts, and is listed first.',
    )
    .storeOption()
    .jsonOption()
    .examples('request-journal rates list')
    .action(async (flags: CommonFlags) => {
      const { rates } = await import('../../queries/costs/rates.js')
      const found = await askDatabase(flags, rates)
      printAnswer({ rates: found }, flags, () => formatRates(found, pageWidth()))
    })
}

function formatRates(rates: readonly ListedRate[], width: number): string {
  if (rates.length === 0) return 'no exchange rate was set'
  return formatTable(RATE_COLUMNS, rates, width)
}

function addRatesSet(rates: ProgramCommand): void {
  rates
    .command('set')
    .summary('set one rate')
    .argument('<usd_per_btc>', 'US dollars for one bitcoin, such as 67000.50', parseRate)
    .description(
      'Appends one exchange rate to the journal. The projector computes the costs that follow from it.',
    )
    .journalOption()
    .option(
      '--at <time>',
      'when it was observed, such as 2026-11-22 or 2026-11-22T09:30Z (UTC without an offset); by default now',
      parseStart,
    )
    .option('--source <text>', 'where the rate is from, as a note for people', 'rates set')
    .jsonOption()
    .examples('request-journal rates set 67000.50', 'request-journal rates set 67000 --at 2026-11-22')
    .action(async (usdPerBtc: string, flags: RateFlags) => {
      const { appendEvents } = await import('./append-events.js')
      const observedAt = flags.at ?? new Date().toISOString()
      const rate: RateInput = {
        type: 'exchange_rate_observed',
        observed_at: observedAt,
        usd_per_btc: usdPerBtc,
        source: flags.source,
      }
      await appendEvents(flags, [rate])
      printAnswer({ appended: 1, rate }, flags, () =>
        visible(`${usdPerBtc} dollars for a bitcoin at ${observedAt}, appended to ${flags.journal}`),
      )
    })
}

interface RateFlags extends Pick<CommonFlags, 'journal' | 'json'> {
  at?: string
  source: string
}

function addRatesImport(rates: ProgramCommand): void {
  rates
    .command('import')
    .summary('show what a CSV file of rates would change, and import it')
    .argument('<file>', 'a CSV file with the columns observed_at and usd_per_btc', parsePath)
    .description(
      'Shows which exchange rates of a CSV file are new or changed; with --yes it appends them to the ' +
        'journal. Times need an offset, and rates are digits with a point. A file with anything wrong in it ' +
        'is refused as a whole.',
    )
    .journalOption()
    .storeOption()
    .option('--yes', 'append the rates; without it nothing is written')
    .jsonOption()
    .examples('request-journal rates import rates.csv --yes')
    .action(importRates)
}

async function importRates(file: string, flags: CommonFlags & { yes?: true }): Promise<void> {
  const { planRateImport } = await import('../../maintenance/prices/import-rates.js')
  const plan = await withElapsedTime(() => planRateImport({ ...flags, file }))
  const { source, new: added, changed, unchanged } = plan
  const events = [...added, ...changed].map((change) => change.new)
  await finishPlan(plan, events, 'rate', flags, () => [
    ...entryLines('new', added.map(changeText)),
    ...entryLines('changed', changed.map(changeText)),
    `${source}: ${formatCount(added.length)} new, ${formatCount(changed.length)} changed, ${formatCount(unchanged)} unchanged`,
  ])
}

/** `2026-11-22T09:00:00.000Z  67000 → 67500.50` */
function changeText({ old, new: rate }: RateChange): string {
  const before = old === null ? '' : `${old.usd_per_btc} → `
  return `${rate.observed_at}  ${before}${rate.usd_per_btc}`
}
