import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { fileIdentityAt, isSameFile } from '../../journal/file-identity.js'
import { type NewRequests, newRequests } from '../../queries/rows/new-requests.js'
import type { RequestEntry } from '../../queries/rows/request-entry.js'
import { positionBefore } from '../../queries/rows/tail-position.js'
import { CURRENCIES, type Currency, currenciesOf, shownCurrency } from '../../queries/window/currency.js'
import type { RequestFilter } from '../../queries/window/filter.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import { PostgresError } from '../../store/postgres/connection/errors.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { amountText } from '../output/amounts.js'
import { formatCount, formatMs, formatTime, UNKNOWN } from '../output/format.js'
import { outcome } from '../output/request-table.js'
import { note } from '../output/standard-error.js'
import { pageWidth, print, printJson } from '../output/standard-output.js'
import { cutToWidth, displayWidth, padEnd, visible } from '../output/terminal.js'
import { withDatabase } from './database.js'
import { CommandFailure } from './failure.js'
import { stopOnSignal } from './process.js'

/** The time between two looks at the database. A look that finds nothing is two seeks. */
const LOOK_EVERY_MS = 200
/** The time between two looks at a server that is away. */
const RETRY_MS = 1000
/** How many requests are shown before new ones come, as with `tail`. */
const SHOWN_BEFORE = 10
/** How many ids are searched for them. */
const SEARCHED_BEFORE = 1000

/**
 * How many columns the page must have for each part: without it the next parts would begin another
 * line.
 */
const ROOM = { provider: 94, tokens: 81, cost: 64, longNames: 47 }

type Paint = (style: Parameters<typeof styleText>[0], text: string) => string

/**
 * Prints requests as they come, and streams again when they end, until the process is told to stop.
 */
export async function followRequests(
  { db, schema }: { db: string; schema?: string },
  asked: RequestFilter,
  asJson: boolean,
): Promise<void> {
  const stop = stopOnSignal()
  const isFile = !isPostgresAddress(db)
  const file = isFile ? fileIdentityAt(db) : null
  let isAway = false
  await withDatabase({ db, ...(schema === undefined ? {} : { schema }) }, async (database) => {
    // Chosen once: the least cost of a tail doesn't change its currency on the way.
    const filter = { ...asked, currency: shownCurrency(database, asked).currency }
    const shown = currenciesOf({ currencies: [...CURRENCIES] }, asked.currency)
    const show = asJson ? (entry: RequestEntry) => printJson(entry) : linePrinter(shown)
    let last = showLastOnes(database, filter, show)
    if (!asJson && process.stderr.isTTY) note('following; Ctrl-C ends it')
    while (!stop.aborted) {
      if (isAway || !last.has_more) {
        await sleep(isAway ? RETRY_MS : LOOK_EVERY_MS, null, { signal: stop }).catch(() => {})
      }
      if (isFile && !isSameFile(fileIdentityAt(db), file)) throw databaseRemoved(db)
      try {
        const { last_id: afterId, open_ids: openIds, open_from: openFrom } = last
        last = newRequests(database, { afterId, openIds, openFrom, filter })
        isAway = false
      } catch (error) {
        if (!(error instanceof PostgresError) || error.code !== 'SERVER_AWAY') throw error
        if (!isAway) note(`waiting: ${error.message}`)
        isAway = true
        continue
      }
      for (const entry of last.completed) show(entry, true)
      for (const entry of last.data) show(entry)
    }
  })
}

/** The old file would stay silent for ever, and nothing would say why. */
function databaseRemoved(databasePath: string): CommandFailure {
  return new CommandFailure(
    `${databasePath}: the database was removed or replaced while it was followed: start again once there is one`,
  )
}

function showLastOnes(
  database: QueryDatabase,
  filter: RequestFilter,
  show: (entry: RequestEntry) => void,
): NewRequests {
  const { last_id } = newRequests(database, { afterId: null, filter })
  const before = newRequests(database, {
    afterId: positionBefore(last_id, SEARCHED_BEFORE),
    limit: SEARCHED_BEFORE,
    // No bound: the last ones of all are shown.
    maxCharacters: Number.MAX_SAFE_INTEGER,
    filter,
  })
  for (const entry of before.data.slice(-SHOWN_BEFORE)) show(entry)
  return before
}

function linePrinter(currencies: readonly Currency[]): (entry: RequestEntry, hasEnded?: boolean) => void {
  const paint = isColourWanted() ? styleText : (_: unknown, text: string) => text
  return (entry, hasEnded = false) => print(formatLine(entry, currencies, hasEnded, paint, pageWidth()))
}

/** Whether stdout is a terminal, and nobody has asked for no colours (https://no-color.org). */
function isColourWanted(): boolean {
  const { NO_COLOR, TERM } = process.env
  return process.stdout.isTTY === true && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb'
}

/**
 * Formats one line of fixed columns, as many as there is room for. A failure stands last, and runs
 * over the page rather than be cut.
 */
function formatLine(
  entry: RequestEntry,
  currencies: readonly Currency[],
  hasEnded: boolean,
  paint: Paint,
  width: number,
): string {
  const { tokens, timing } = entry
  const isFailed = !entry.success
  const said = visible(outcome(entry))
  const mark = isFailed ? '✗' : entry.state !== 'finished' ? '▸' : hasEnded ? '■' : '✓'
  const padded = (text: string, columns: number) =>
    padEnd(Number.isFinite(width) ? cutToWidth(text, columns) : text, columns)
  const parts: [style: Parameters<typeof styleText>[0], text: string][] = [
    ['gray', formatTime(entry.timestamp).slice(11).padEnd(8)],
    [isFailed ? 'red' : 'green', mark],
    ['bold', padded(visible(entry.model), width < ROOM.longNames ? 12 : 24)],
    ['cyan', width < ROOM.provider ? '' : padded(visible(entry.provider ?? UNKNOWN), 12)],
    [
      'reset',
      width < ROOM.tokens ? '' : `${formatCount(tokens.input)} → ${formatCount(tokens.output)}`.padStart(16),
    ],
    ['yellow', width < ROOM.cost ? '' : costText(entry, currencies).padStart(16)],
    ['reset', formatMs(hasEnded ? (timing.stream_duration_ms ?? null) : timing.latency_ms).padStart(9)],
  ]
  const columns = parts.reduce((sum, [, text]) => sum + (text === '' ? 0 : displayWidth(text) + 1), 0)
  // The mark says it already.
  const isSaid = said === 'ok' || (said === 'open' && columns + said.length > width)
  return [...parts, [isFailed ? 'red' : 'yellow', isSaid ? '' : said] as const]
    .filter(([, text]) => text !== '')
    .map(([style, text]) => (style === 'reset' ? text : paint(style, text)))
    .join(' ')
}

/** The cost in the first of these currencies in which it is known. */
function costText({ cost }: RequestEntry, currencies: readonly Currency[]): string {
  const known = currencies.find((currency) => typeof cost[currency] === 'number')
  return known === undefined ? UNKNOWN : amountText(known, cost[known] ?? null)
}
