import type { RequestEntry } from '../../queries/rows/request-entry.js'
import type { Currency } from '../../queries/window/currency.js'
import { TimeZone } from '../../queries/window/time-zone.js'
import { amountFormatter } from './amounts.js'
import { formatCount, formatLocalTime, formatMs, UNKNOWN } from './format.js'
import { type Column, formatTable } from './table.js'

/** A table's column, and its cell for a request. */
interface RequestColumn extends Column {
  cell(entry: RequestEntry): string
}

/**
 * Formats requests as a table.
 *
 * @param currencies those whose costs are shown, the more important one first.
 * @param zone the one whose clocks show the times.
 */
export function formatRequestTable(
  entries: readonly RequestEntry[],
  currencies: readonly Currency[],
  width: number,
  zone = TimeZone.UTC,
): string {
  const right = { align: 'right' } as const
  const columns: RequestColumn[] = [
    { title: `time (${zone.name})`, cell: ({ timestamp }) => formatLocalTime(timestamp, zone) },
    { title: 'id', ...right, cell: ({ id }) => String(id) },
    { title: 'model', shrinksTo: 8, cell: ({ model }) => model },
    { title: 'provider', shrinksTo: 6, dropRank: 5, cell: ({ provider }) => provider ?? UNKNOWN },
    { title: 'in', ...right, dropRank: 4, cell: ({ tokens }) => formatCount(tokens.input) },
    { title: 'out', ...right, dropRank: 3, cell: ({ tokens }) => formatCount(tokens.output) },
    ...currencies.map((currency, index) => costColumn(currency, entries, index === 0 ? 1 : 2.5)),
    { title: 'latency', ...right, dropRank: 2, cell: ({ timing }) => formatMs(timing.latency_ms) },
    {
      title: 'stream',
      ...right,
      dropRank: 6,
      cell: ({ streaming, timing }) => (streaming ? formatMs(timing.stream_duration_ms ?? null) : ''),
    },
    { title: 'outcome', shrinksTo: 10, cell: outcome },
  ]
  const rows = entries.map((entry) => columns.map(({ cell }) => cell(entry)))
  return formatTable(columns, rows, width)
}

function costColumn(currency: Currency, entries: readonly RequestEntry[], dropRank: number): RequestColumn {
  const cost = (entry: RequestEntry) => entry.cost[currency] ?? null
  const format = amountFormatter(currency, entries.map(cost))
  return { title: currency, align: 'right', dropRank, cell: (entry) => format(cost(entry)) }
}

/** `ok` or `failed 429 slow down`; `open` or `unfinished` if the end of a stream isn't known. */
export function outcome({ success, error, state = 'finished' }: RequestEntry): string {
  const words = [state !== 'finished' ? state : success ? 'ok' : 'failed']
  if (typeof error?.status === 'number') words.push(String(error.status))
  if (typeof error?.message === 'string') words.push(error.message)
  return words.join(' ')
}
