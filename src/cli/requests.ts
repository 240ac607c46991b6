import { type Command, Option } from 'commander'
import { countText } from '../maintenance/count-text.js'
import type { ListRequestsOptions, RequestCursorPage, RequestPage } from '../queries/rows/requests.js'
import type { RequestFilter } from '../queries/window/filter.js'
import { formatCount } from './output/format.js'
import { pageWidth, print, printJson } from './output/output.js'
import { REQUEST_COLUMNS, requestCells } from './output/request-row.js'
import { formatTable } from './output/table.js'
import { withDatabase } from './run/database.js'
import { addFilterOptions, type FilterFlags, filterOf } from './run/filter-options.js'
import { databaseOption, examples, jsonOption, wholeNumber } from './run/options.js'

const MAX_PAGE = 2 ** 32 - 1
const MAX_PER_PAGE = 100

/** What a live tail can't be combined with: it shows what comes, as it comes. */
const NOT_FOLLOWED = ['page', 'perPage', 'cursor', 'sort', 'order', 'until', 'before']

interface RequestsFlags extends FilterFlags {
  db: string
  correlationId?: string
  success?: 'true' | 'false'
  failed?: true
  streaming?: 'true' | 'false'
  sort?: 'timestamp' | 'cost_sats' | 'latency_ms'
  order?: 'asc' | 'desc'
  page?: number
  perPage?: number
  cursor?: string
  follow?: true
  json?: true
}

export function addRequests(program: Command): void {
  const command = program
    .command('requests')
    .summary('the request list')
    .description(
      'Lists requests, the newest first. A stream shows how long it ran; open and ' +
        'unfinished are streams whose end is not known, of the last hour or older; – is unknown. --json is the body of ' +
        'GET /v1/requests?details=true.',
    )
    .addOption(databaseOption())
  addFilterOptions(command)
    .option('--correlation-id <id>', 'all that is logged of one request')
    .addOption(new Option('--success <yes>', 'that succeeded, or failed').choices(['true', 'false']))
    .addOption(new Option('--failed', 'that failed: short for --success false').conflicts('success'))
    .addOption(
      new Option('--streaming [yes]', 'that are streams, or none').choices(['true', 'false']).preset('true'),
    )
    .addOption(
      new Option('--sort <column>', 'what to sort by; timestamp unless told').choices([
        'timestamp',
        'cost_sats',
        'latency_ms',
      ]),
    )
    .addOption(new Option('--order <order>', 'desc unless told').choices(['asc', 'desc']))
    .option('--page <n>', `which page, 1 to ${MAX_PAGE}; the first unless told`, wholeNumber(1, MAX_PAGE))
    .option(
      '--per-page <n>',
      `requests on a page, 1 to ${MAX_PER_PAGE}; 20 unless told`,
      wholeNumber(1, MAX_PER_PAGE),
    )
    .addOption(
      new Option(
        '--cursor <cursor>',
        "pages by key, as fast far behind as at the start: 'start', then the next_cursor of the page before",
      ).conflicts('page'),
    )
    .addOption(
      new Option(
        '--follow',
        'show the last ten, then each request as it comes, and a stream again when it ends, until Ctrl-C; with --json one object a line',
      ).conflicts(NOT_FOLLOWED),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        'request-journal requests --failed --range 90m',
        'request-journal requests --sort cost_sats --per-page 5 --label team=search',
        'request-journal requests --follow --model gpt-4o',
        'request-journal requests --json | jq .data[0]',
      ),
    )
    .action(async (flags: RequestsFlags) => {
      const filter = requestFilter(flags)
      if (flags.follow) {
        const { followRequests } = await import('./output/follow.js')
        await followRequests(flags.db, filter, flags.json === true)
        return
      }
      const { listRequests } = await import('../queries/rows/requests.js')
      const { page, perPage, sort, order, cursor } = flags
      const options: ListRequestsOptions = {
        ...filter,
        page,
        perPage,
        sort,
        order,
        cursor,
        details: true,
      }
      const answer = await withDatabase(flags.db, (database) => listRequests(database, options))
      if (flags.json) printJson(answer)
      else print(formatRequests(answer, pageWidth()))
    })
}

function requestFilter(flags: RequestsFlags): RequestFilter {
  const { correlationId, success, streaming, failed } = flags
  return {
    ...filterOf(flags),
    correlationId,
    success: failed ? false : yes(success),
    streaming: yes(streaming),
  }
}

function yes(text: 'true' | 'false' | undefined): boolean | undefined {
  return text === undefined ? undefined : text === 'true'
}

function formatRequests(page: RequestPage | RequestCursorPage, width: number): string {
  const table = formatTable(REQUEST_COLUMNS, page.data.map(requestCells), width)
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
