import type { Command } from 'commander'
import type { RequestEntry } from '../queries/request-entry.js'
import type { RequestPage } from '../queries/requests.js'
import { withDatabase } from './database.js'
import { formatCount, formatMs, formatSats, formatTime, UNKNOWN } from './format.js'
import { databaseOption, examples, jsonOption, wholeNumber } from './options.js'
import { pageWidth, print, printJson } from './output.js'
import { type Column, formatTable } from './table.js'

const MAX_PAGE = 2 ** 32 - 1
const MAX_PER_PAGE = 100

const COLUMNS: readonly Column[] = [
  { title: 'time (UTC)' },
  { title: 'id', align: 'right' },
  { title: 'model', shrinksTo: 8 },
  { title: 'provider', shrinksTo: 6 },
  { title: 'in', align: 'right' },
  { title: 'out', align: 'right' },
  { title: 'sats', align: 'right' },
  { title: 'latency', align: 'right' },
  { title: 'stream', align: 'right' },
  { title: 'outcome', shrinksTo: 10 },
]

export function addRequests(program: Command): void {
  program
    .command('requests')
    .summary('the request list')
    .description('Lists requests, the newest first. A stream shows how long it ran; – is unknown.')
    .addOption(databaseOption())
    .option('--page <n>', `which page, 1 to ${MAX_PAGE}`, wholeNumber(1, MAX_PAGE), 1)
    .option('--per-page <n>', `requests on a page, 1 to ${MAX_PER_PAGE}`, wholeNumber(1, MAX_PER_PAGE), 20)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('request-journal requests --per-page 50', 'request-journal requests --json | jq .data[0]'),
    )
    .action(async (flags: { db: string; page: number; perPage: number; json?: true }) => {
      const { listRequests } = await import('../queries/requests.js')
      const { page, perPage } = flags
      const answer = await withDatabase(flags.db, (database) => listRequests(database, { page, perPage }))
      if (flags.json) printJson(answer)
      else print(formatRequests(answer, pageWidth()))
    })
}

function formatRequests(page: RequestPage, width: number): string {
  if (page.total === 0) return 'no requests yet'
  const where = `page ${formatCount(page.page)} of ${formatCount(page.total_pages)}, ${formatCount(page.total)} requests`
  if (page.data.length === 0) return `nothing on ${where}`
  return `${formatTable(COLUMNS, page.data.map(cells), width)}\n${where}`
}

function cells(entry: RequestEntry): string[] {
  const { timing, tokens } = entry
  return [
    formatTime(entry.timestamp),
    String(entry.id),
    entry.model,
    entry.provider ?? UNKNOWN,
    formatCount(tokens.input),
    formatCount(tokens.output),
    formatSats(entry.cost.sats),
    formatMs(timing.latency_ms),
    entry.streaming ? formatMs(timing.stream_duration_ms ?? null) : '',
    outcome(entry),
  ]
}

function outcome({ success, error }: RequestEntry): string {
  const words = [success ? 'ok' : 'failed']
  if (typeof error?.status === 'number') words.push(String(error.status))
  if (typeof error?.message === 'string') words.push(error.message)
  return words.join(' ')
}
