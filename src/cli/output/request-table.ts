import type { RequestEntry } from '../../queries/rows/request-entry.js'
import { formatCount, formatMs, formatSats, formatTime, UNKNOWN } from './format.js'
import type { Column } from './table.js'

/** The columns of a list of requests. */
export const REQUEST_COLUMNS: readonly Column[] = [
  { title: 'time (UTC)' },
  { title: 'id', align: 'right' },
  { title: 'model', shrinksTo: 8 },
  { title: 'provider', shrinksTo: 6, dropRank: 5 },
  { title: 'in', align: 'right', dropRank: 4 },
  { title: 'out', align: 'right', dropRank: 3 },
  { title: 'sats', align: 'right', dropRank: 1 },
  { title: 'latency', align: 'right', dropRank: 2 },
  { title: 'stream', align: 'right', dropRank: 6 },
  { title: 'outcome', shrinksTo: 10 },
]

/** A request's row in a table of {@link REQUEST_COLUMNS}. */
export function requestCells(entry: RequestEntry): string[] {
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

/** `ok` or `failed 429 slow down`; `open` or `unfinished` if the end of a stream isn't known. */
export function outcome({ success, error, state = 'finished' }: RequestEntry): string {
  const words = [state !== 'finished' ? state : success ? 'ok' : 'failed']
  if (typeof error?.status === 'number') words.push(String(error.status))
  if (typeof error?.message === 'string') words.push(error.message)
  return words.join(' ')
}
