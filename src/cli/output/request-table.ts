import type { RequestEntry } from '../../queries/rows/request-entry.js'
import type { Currency } from '../../queries/window/currency.js'
import { TimeZone } from '../../queries/window/time-zone.js'
import { amountFormatter } from './amounts.js'
import { formatCount, formatLocalTime, formatMs, UNKNOWN } from './format.js'
import { type Column, formatTable } from './table.js'
import { displayWidth } from './terminal.js'

/** The part of a narrow page that the outcomes keep, so that a reason can be read. */
const SHARE_OF_OUTCOMES = 0.35

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
  const columns: Column<RequestEntry>[] = [
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
    { title: 'outcome', shrinksTo: leastWidthOfOutcomes(entries, width), cell: outcome },
  ]
  return formatTable(columns, entries, width)
}

function costColumn(
  currency: Currency,
  entries: readonly RequestEntry[],
  dropRank: number,
): Column<RequestEntry> {
  const cost = (entry: RequestEntry) => entry.cost[currency] ?? null
  const format = amountFormatter(currency, entries.map(cost))
  return { title: currency, align: 'right', dropRank, cell: (entry) => format(cost(entry)) }
}

/** A message may be cut, but not what comes before it. */
function leastWidthOfOutcomes(entries: readonly RequestEntry[], pageWidth: number): number {
  const ends = entries.map((entry) => displayWidth(ending(entry, retryNotes(entry))))
  return Math.max('outcome'.length, Math.floor(pageWidth * SHARE_OF_OUTCOMES), ...ends)
}

/** `ok`, or `failed 429 (retry 1) slow down`. */
function outcome(entry: RequestEntry): string {
  return outcomeText(entry, retryNotes(entry))
}

/** `retry 1`; nothing for a first attempt, or if the attempt isn't known. */
export function retryNotes({ attempt }: RequestEntry): string[] {
  return (attempt ?? 0) > 0 ? [`retry ${attempt}`] : []
}

/**
 * How a request ended: `ok` or `failed 429 slow down`; `open` or `unfinished` if the end of a
 * stream isn't known.
 *
 * @param notes are put in brackets before the message: `failed 429 (retry 1) slow down`.
 */
export function outcomeText(entry: RequestEntry, notes: readonly string[] = []): string {
  const message = entry.error?.message
  return typeof message === 'string' ? `${ending(entry, notes)} ${message}` : ending(entry, notes)
}

/** The outcome without its message. */
function ending({ success, error, state = 'finished' }: RequestEntry, notes: readonly string[]): string {
  const words: string[] = [state !== 'finished' ? state : success ? 'ok' : 'failed']
  if (typeof error?.status === 'number') words.push(String(error.status))
  if (notes.length > 0) words.push(`(${notes.join(', ')})`)
  return words.join(' ')
}
