import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { fileIdentityAt, isSameFile } from '../../journal/file-identity.js'
import type { DatabaseLocation } from '../../maintenance/database-location.js'
import { type NewRequests, newRequests } from '../../queries/rows/new-requests.js'
import type { RequestEntry } from '../../queries/rows/request-entry.js'
import { positionBefore } from '../../queries/rows/tail-position.js'
import { CURRENCIES, type Currency, currenciesOf, shownCurrency } from '../../queries/window/currency.js'
import type { RequestFilter } from '../../queries/window/filter.js'
import type { TimeZone } from '../../queries/window/time-zone.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import { PostgresError } from '../../store/postgres/connection/errors.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { formatFollowed, formatHeader, LEGEND, type StyledPart } from '../output/follow-line.js'
import { LiveLines } from '../output/live-lines.js'
import { note } from '../output/standard-error.js'
import { pageWidth, print, printJson } from '../output/standard-output.js'
import { cutToWidth } from '../output/terminal.js'
import { withDatabase } from './database.js'
import { CommandFailure } from './failure.js'
import { lagText } from './lag-note.js'
import { stopOnSignal } from './process.js'

/** The time between two polls. A poll that finds nothing costs two seeks in an index. */
const POLL_EVERY_MS = 200
/** The time between two attempts to reach a server that is away. */
const RETRY_MS = 1000
/** How many of the latest requests are shown first, as `tail` does. */
const SHOWN_BEFORE = 10
/** How many ids are searched for them. */
const SEARCHED_BEFORE = 1000

/** The size to assume if a terminal doesn't report its own. */
const DEFAULT_SIZE = { columns: 80, rows: 24 }

/** Prints requests as they are projected, and streams again when they end, until a signal. */
export async function followRequests(
  place: DatabaseLocation,
  asked: RequestFilter,
  { asJson, zone }: { asJson: boolean; zone: TimeZone | undefined },
): Promise<void> {
  const stop = stopOnSignal()
  const isFile = !isPostgresAddress(place.database)
  const file = isFile ? fileIdentityAt(place.database) : null
  let isAway = false
  await withDatabase(place, async (database) => {
    // Chosen once, so that the currency of --min-cost doesn't change while requests are followed.
    const filter = { ...asked, currency: shownCurrency(database, asked).currency }
    const shown = currenciesOf({ currencies: [...CURRENCIES] }, asked.currency)
    const output = outputFor(asJson, shown, zone)
    let last = showNewest(database, filter, output)
    const lag = await lagText(database, place)
    if (lag !== null) output.note(lag)
    while (!stop.aborted) {
      if (isAway || !last.has_more) {
        await sleep(isAway ? RETRY_MS : POLL_EVERY_MS, null, { signal: stop }).catch(() => {})
      }
      if (isFile && !isSameFile(fileIdentityAt(place.database), file)) {
        // Nothing would ever appear in the old file, and nothing would say why.
        throw new CommandFailure(
          `${place.database}: the database was removed or replaced while it was being followed: start again once there is one`,
        )
      }
      try {
        const { last_id: afterId, open_ids: openIds, open_from: openFrom } = last
        last = newRequests(database, { afterId, openIds, openFrom, filter })
        isAway = false
      } catch (error) {
        if (!(error instanceof PostgresError) || error.code !== 'SERVER_AWAY') throw error
        if (!isAway) output.note(`waiting: ${error.message}`)
        isAway = true
        continue
      }
      for (const entry of last.completed) output.show(entry)
      for (const entry of last.data) output.show(entry)
      output.flush()
    }
  })
}

function showNewest(database: QueryDatabase, filter: RequestFilter, output: FollowOutput): NewRequests {
  const { last_id } = newRequests(database, { afterId: null, filter })
  const before = newRequests(database, {
    afterId: positionBefore(last_id, SEARCHED_BEFORE),
    limit: SEARCHED_BEFORE,
    // Not limited, since only the last of these requests are shown.
    maxCharacters: Number.MAX_SAFE_INTEGER,
    filter,
  })
  for (const entry of before.data.slice(-SHOWN_BEFORE)) output.show(entry)
  output.flush()
  return before
}

/** Shows requests; those of one poll appear together. */
interface FollowOutput {
  show(entry: RequestEntry): void
  /** Called after all requests of a poll. */
  flush(): void
  /** Says something else, on stderr. */
  note(text: string): void
}

function outputFor(asJson: boolean, currencies: readonly Currency[], zone?: TimeZone): FollowOutput {
  const lines = (show: FollowOutput['show']) => ({ show, flush() {}, note })
  if (asJson) return lines(printJson)
  // A terminal that can't move its cursor gets lines as a pipe does.
  if (process.stdout.isTTY === true && process.env['TERM'] !== 'dumb')
    return new FollowScreen(currencies, zone)
  return lines((entry) => print(plainText(formatFollowed(entry, currencies, pageWidth(), zone))))
}

function plainText(parts: readonly StyledPart[]): string {
  return parts.map(([, text]) => text).join(' ')
}

/** A terminal with one line for each request, in which a stream's line changes when it ends. */
class FollowScreen implements FollowOutput {
  readonly #currencies: readonly Currency[]
  readonly #zone: TimeZone | undefined
  readonly #lines = new LiveLines({
    get columns() {
      return process.stdout.columns || DEFAULT_SIZE.columns
    },
    get rows() {
      return process.stdout.rows || DEFAULT_SIZE.rows
    },
    write: (text) => process.stdout.write(text),
  })
  #linesSinceHeader = Number.POSITIVE_INFINITY

  constructor(currencies: readonly Currency[], zone?: TimeZone) {
    this.#currencies = currencies
    this.#zone = zone
    const times = zone === undefined ? '' : `times of ${zone.name}  `
    this.#put([['gray', cutToWidth(`${times}${LEGEND}; Ctrl-C ends`, pageWidth())]])
    process.stdout.on('resize', () => this.#lines.release())
  }

  show(entry: RequestEntry): void {
    const isNew = !this.#lines.has(entry.id)
    // One header is always on the screen.
    if (isNew && this.#linesSinceHeader >= (process.stdout.rows || DEFAULT_SIZE.rows) - 3) {
      this.#put([['underline', formatHeader(this.#currencies, pageWidth(), this.#zone)]])
      this.#linesSinceHeader = 0
    }
    if (isNew) this.#linesSinceHeader++
    this.#put(formatFollowed(entry, this.#currencies, pageWidth(), this.#zone), entry.id)
  }

  flush(): void {
    this.#lines.flush()
  }

  note(text: string): void {
    this.#lines.release()
    note(text)
  }

  #put(parts: readonly StyledPart[], key: number | null = null): void {
    const paint = isColourWanted() ? styleText : (_: unknown, text: string) => text
    const text = parts.map(([style, part]) => (style === 'reset' ? part : paint(style, part))).join(' ')
    this.#lines.put(key, text, plainText(parts))
  }
}

/** Whether to use colours: not if NO_COLOR is set (https://no-color.org). */
function isColourWanted(): boolean {
  const { NO_COLOR } = process.env
  return NO_COLOR === undefined || NO_COLOR === ''
}
