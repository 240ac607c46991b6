import type { Command } from 'commander'
import { countText } from '../maintenance/count-text.js'
import type { ListRequestsOptions, RequestCursorPage, RequestPage } from '../queries/rows/requests.js'
import { type Currency, currenciesOf, shownCurrency } from '../queries/window/currency.js'
import type { TimeZone } from '../queries/window/time-zone.js'
import { formatCount } from './output/format.js'
import { formatRequestTable } from './output/request-table.js'
import { pageWidth, printAnswer } from './output/standard-output.js'
import type { ProgramCommand } from './run/command.js'
import { askDatabase } from './run/database.js'
import { type FilterFlags, filterOf } from './run/filter-options.js'

const MAX_PAGE = 2 ** 32 - 1
const MAX_PER_PAGE = 100

/** The options that --follow doesn't take, since it shows requests as they are projected. */
const NOT_FOLLOWED = ['page', 'perPage', 'cursor', 'sort', 'order', 'until', 'before']

/** `cost` means the cost in the currency that is shown. */
const SORTS = ['timestamp', 'cost', 'cost_sats', 'cost_usd', 'latency_ms'] as const

interface RequestsFlags
  extends FilterFlags,
    Pick<ListRequestsOptions, 'page' | 'perPage' | 'order' | 'cursor'> {
  sort?: (typeof SORTS)[number]
  follow?: true
}

export function addRequests(program: ProgramCommand): void {
  program
    .command('requests')
    .summary('the list of requests')
    .description(
      'Lists requests, the newest first, and for a stream how long it ran. Each attempt has a line: ' +
        'retry 1 is the second one. A stream whose end is not known ' +
        'is open, or after an hour unfinished; – means unknown. --json prints the body of GET ' +
        '/v1/requests?details=true.',
    )
    .storeOption()
    .filterOptions()
    .unpricedOption()
    .choiceOption(
      '--sort <column>',
      'what to sort by; cost is the one in the currency that is shown, latency_ms of a stream the time to ' +
        'its first byte. timestamp by default',
      SORTS,
    )
    .choiceOption('--order <order>', 'desc by default', ['asc', 'desc'])
    .numberOption('--page <n>', `which page, 1 to ${MAX_PAGE}; the first by default`, 1, MAX_PAGE)
    .numberOption(
      '--per-page <n>',
      `requests on a page, 1 to ${MAX_PER_PAGE}; 20 by default`,
      1,
      MAX_PER_PAGE,
    )
    .exclusiveOption(
      '--cursor <cursor>',
      "page by key, so that each page is as fast as the first: 'start', then the next_cursor of the page before",
      'page',
    )
    .exclusiveOption(
      '--follow',
      'show the last ten requests, then each new one, until Ctrl-C. When a stream ends, its line changes; ' +
        'in a pipe it is printed again. With --json one object per line',
      NOT_FOLLOWED,
    )
    .jsonOption()
    .examples(
      'request-journal requests --failed --range 90m',
      'request-journal requests --sort cost_sats --per-page 5 --label team=search',
      'request-journal requests --follow --model gpt-4o',
      'request-journal requests --json | jq .data[0]',
    )
    .action(async (flags: RequestsFlags, command: Command) => {
      // Whoever sorts by dollars wants to see them.
      const { currency = flags.sort === 'cost_usd' ? 'usd' : undefined } = flags
      const filter = filterOf({ ...flags, currency })
      if (flags.follow) {
        if (filter.before !== undefined) {
          command.error(
            `error: option '--follow' needs a window that is still open: found '--range ${flags.range}'`,
          )
        }
        const { followRequests } = await import('./run/follow.js')
        await followRequests(flags, filter, { asJson: flags.json === true, zone: flags.timezone })
        return
      }
      const { listRequests } = await import('../queries/rows/requests.js')
      const { noteLabels } = await import('./run/label-notes.js')
      const { page, perPage, sort, order, cursor } = flags
      const answer = await askDatabase(flags, (database) => {
        const options: ListRequestsOptions = { ...filter, page, perPage, order, cursor, details: true }
        if (sort === 'cost') options.currency = shownCurrency(database, filter).currency
        options.sort = sort === 'cost' ? `cost_${options.currency ?? 'sats'}` : sort
        const found = listRequests(database, options)
        if (found.data.length === 0) noteLabels(database, filter)
        return found
      })
      printAnswer(answer, flags, () => formatRequests(answer, currency, flags.timezone))
    })
}

function formatRequests(
  page: RequestPage | RequestCursorPage,
  currency: Currency | undefined,
  zone: TimeZone | undefined,
): string {
  const table = formatRequestTable(page.data, currenciesOf(page, currency), pageWidth(), zone)
  if (!('total' in page)) {
    if (page.data.length === 0) return 'no requests'
    return page.next_cursor === undefined
      ? `${table}\nthe last page`
      : `${table}\nnext page: --cursor ${page.next_cursor}`
  }
  if (page.total === 0) return 'no requests'
  const where = `page ${formatCount(page.page)} of ${formatCount(page.total_pages)}, ${countText(page.total, 'request')}`
  return page.data.length === 0 ? `nothing on ${where}` : `${table}\n${where}`
}
