import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import type { RequestFilter } from '../queries/filter.js'
import type { NewRequests } from '../queries/new-requests.js'
import type { RequestEntry } from '../queries/request-entry.js'
import type { Database } from '../storage/database.js'
import { withDatabase } from './database.js'
import { CommandFailure } from './failure.js'
import { formatCount, formatMs, formatSats, formatTime, UNKNOWN } from './format.js'
import { note, pageWidth, print, printJson } from './output.js'
import { outcome } from './request-row.js'
import { stopOnSignal } from './signals.js'
import { cutToWidth, displayWidth, visible } from './terminal.js'

/** Between two looks at the database. A look that finds nothing is two seeks. */
const LOOK_EVERY_MS = 200
/** Shown before what comes, as `tail` does. */
const SHOWN_BEFORE = 10
/** Ids that those are looked for among. */
const SEARCHED_BEFORE = 1000

const NAME_WIDTH = 24

type Paint = (style: Parameters<typeof styleText>[0], text: string) => string

/** Prints requests as they come, and streams again as they end, until the process is told to stop. */
export async function followRequests(path: string, filter: RequestFilter, asJson: boolean): Promise<void> {
  const { newRequests } = await import('../queries/new-requests.js')
  const stop = stopOnSignal()
  const show = asJson ? (entry: RequestEntry) => printJson(entry) : linePrinter()
  const inode = inodeOf(path)
  await withDatabase(path, async (database) => {
    let last = showLastOnes(database, newRequests, filter, show)
    if (!asJson && process.stderr.isTTY) note('following; Ctrl-C ends it')
    while (!stop.aborted) {
      if (!last.has_more) await sleep(LOOK_EVERY_MS, null, { signal: stop }).catch(() => {})
      if (inodeOf(path) !== inode) throw databaseRemoved(path)
      last = newRequests(database, { afterId: last.last_id, openIds: last.open_ids, filter })
      for (const entry of last.completed) show(entry, true)
      for (const entry of last.data) show(entry)
    }
  })
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}

/** Nothing would come from the old file any more, and nothing would say so. */
function databaseRemoved(path: string): CommandFailure {
  return new CommandFailure(
    `${path}: the database was removed or replaced while it was followed: start again where there is one`,
  )
}

function showLastOnes(
  database: Database,
  newRequests: typeof import('../queries/new-requests.js').newRequests,
  filter: RequestFilter,
  show: (entry: RequestEntry) => void,
): NewRequests {
  const { last_id } = newRequests(database, { afterId: null, filter })
  const before = newRequests(database, {
    afterId: Math.max(0, last_id - SEARCHED_BEFORE),
    limit: SEARCHED_BEFORE,
    filter,
  })
  for (const entry of before.data.slice(-SHOWN_BEFORE)) show(entry)
  return before
}

function linePrinter(): (entry: RequestEntry, hasEnded?: boolean) => void {
  const paint = isColourWanted() ? styleText : (_: unknown, text: string) => text
  return (entry, hasEnded = false) => print(formatLine(entry, hasEnded, paint, pageWidth()))
}

/** Colours are for people who look on, and who haven't asked for none (https://no-color.org). */
function isColourWanted(): boolean {
  const { NO_COLOR, TERM } = process.env
  return process.stdout.isTTY === true && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb'
}

/** One line of fixed columns, cut at the width before it is painted: colours take no room. */
function formatLine(entry: RequestEntry, hasEnded: boolean, paint: Paint, width: number): string {
  const { tokens, timing } = entry
  const isFailed = !entry.success
  const parts: [style: Parameters<typeof styleText>[0], text: string][] = [
    ['gray', formatTime(entry.timestamp).slice(11).padEnd(8)],
    [isFailed ? 'red' : 'green', isFailed ? '✗' : hasEnded ? '■' : entry.streaming ? '▸' : '✓'],
    ['bold', padded(visible(entry.model), NAME_WIDTH)],
    ['cyan', padded(visible(entry.provider ?? UNKNOWN), NAME_WIDTH / 2)],
    ['reset', `${formatCount(tokens.input)} → ${formatCount(tokens.output)}`.padStart(16)],
    ['yellow', `${formatSats(entry.cost.sats)} sats`.padStart(14)],
    ['reset', formatMs(hasEnded ? (timing.stream_duration_ms ?? null) : timing.latency_ms).padStart(9)],
    ['red', isFailed || entry.error !== undefined ? visible(outcome(entry)) : ''],
  ]
  let left = width
  const painted: string[] = []
  for (const [style, text] of parts) {
    const cut = cutToWidth(text, left)
    if (cut !== '') painted.push(style === 'reset' ? cut : paint(style, cut))
    left -= displayWidth(cut) + 1
    if (left <= 0) break
  }
  return painted.join(' ')
}

function padded(text: string, width: number): string {
  const cut = cutToWidth(text, width)
  return cut + ' '.repeat(width - displayWidth(cut))
}
