import { nearestName } from '../../events/nearest-name.js'
import { QueryError } from '../errors.js'

/** Which end of a day, a minute or a second is meant: its first or its last millisecond. */
export type Edge = 'start' | 'end'

/** A day or an hour by the clocks of a zone, from its first instant to the one after its last. */
export interface LocalPeriod {
  /** Days: their date. Hours: the instant at which they begin, canonical. */
  key: string
  startMs: number
  endMs: number
}

/** A time during which the clocks of a zone don't change. */
interface Piece {
  startMs: number
  endMs: number
  offsetMs: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const PERIOD_MS = { day: DAY_MS, hour: HOUR_MS } as const

/**
 * No local day or hour is longer than this many usual ones. A day is long where clocks went back
 * past midnight, so that its date was shown twice.
 */
const LONGEST = 3

const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/

/**
 * A time zone of the IANA database, as the ICU of this Node knows it. Instants are milliseconds
 * since 1970. So are local times: a local time is the instant at which a clock in UTC shows it.
 */
export class TimeZone {
  static readonly UTC: TimeZone = new TimeZone('UTC')

  /** The name that was asked for. */
  readonly name: string
  /** Null for UTC: making a format takes long, and every process that answers needs UTC. */
  readonly #format: Intl.DateTimeFormat | null

  /** @throws QueryError INVALID_TIMEZONE */
  constructor(name: string) {
    this.name = name
    this.#format = name === 'UTC' ? null : formatOf(name)
  }

  /** Returns how far the zone's clocks are ahead of UTC, in milliseconds. */
  offsetAt(ms: number): number {
    if (this.#format === null) return 0
    const [, sign, hours, minutes, seconds = 0] = OFFSET.exec(this.#format.format(ms)) ?? []
    if (sign === undefined) return 0
    const offset = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
    return sign === '-' ? -offset : offset
  }

  /** Returns what the zone's clocks show at an instant: `2026-11-22T19:43:00.000`. */
  localText(ms: number): string {
    return new Date(ms + this.offsetAt(ms)).toISOString().slice(0, -1)
  }

  /**
   * Returns the instant at which the zone's clocks show a time. If they show it twice, a start is
   * the first of the two instants and an end the last. If they skip it, a start is the first
   * instant after the gap, and an end the last one before it.
   */
  instantAt(localMs: number, edge: Edge): number {
    // Clocks change at most once in two days: test/queries/window/time-zone.test.ts checks that.
    const [before, after] = [this.offsetAt(localMs - DAY_MS), this.offsetAt(localMs + DAY_MS)]
    const found = [before, after]
      .map((offset) => ({ ms: localMs - offset, offset }))
      .filter(({ ms, offset }) => this.offsetAt(ms) === offset)
      .map(({ ms }) => ms)
    if (found.length > 0) return edge === 'start' ? Math.min(...found) : Math.max(...found)
    const change = this.#changeBetween(localMs - DAY_MS, localMs + DAY_MS)
    return edge === 'start' ? change : change - 1
  }

  /** Whether the zone's days, or hours, are the same as those of UTC between two instants. */
  isUtc(period: 'day' | 'hour', startMs: number, endMs: number): boolean {
    return this.#pieces(startMs, endMs).every(
      (piece) =>
        piece.offsetMs % PERIOD_MS[period] === 0 &&
        (piece.startMs === startMs || piece.startMs % HOUR_MS === 0),
    )
  }

  /**
   * Lists the days or hours that have a part between two instants, each as a whole, in order and
   * without gaps. A day is the time during which its date is shown, however long that is: the same
   * date may be listed twice where clocks went back past midnight. An hour ends where clocks
   * change.
   */
  periods(period: 'day' | 'hour', startMs: number, endMs: number): LocalPeriod[] {
    const lengthMs = PERIOD_MS[period]
    const periods: (LocalPeriod & { number: number })[] = []
    for (const piece of this.#pieces(startMs - LONGEST * lengthMs, endMs + LONGEST * lengthMs)) {
      for (let start = piece.startMs; start < piece.endMs; ) {
        const number = Math.floor((start + piece.offsetMs) / lengthMs)
        const end = Math.min(piece.endMs, (number + 1) * lengthMs - piece.offsetMs)
        const last = periods.at(-1)
        if (period === 'day' && last?.number === number) last.endMs = end
        else {
          const time = new Date(period === 'day' ? number * DAY_MS : start).toISOString()
          const key = period === 'day' ? time.slice(0, -'T00:00:00.000Z'.length) : time
          periods.push({ number, key, startMs: start, endMs: end })
        }
        start = end
      }
    }
    return periods
      .filter((found) => found.startMs < endMs && found.endMs > startMs)
      .map(({ key, startMs, endMs }) => ({ key, startMs, endMs }))
  }

  #pieces(startMs: number, endMs: number): Piece[] {
    const pieces: Piece[] = []
    let [start, offsetMs] = [startMs, this.offsetAt(startMs)]
    for (let at = startMs; at < endMs; at += DAY_MS) {
      const next = Math.min(at + DAY_MS, endMs)
      const nextOffsetMs = this.offsetAt(next)
      if (nextOffsetMs === offsetMs) continue
      const change = this.#changeBetween(at, next)
      pieces.push({ startMs: start, endMs: change, offsetMs })
      start = change
      offsetMs = nextOffsetMs
    }
    return start < endMs ? [...pieces, { startMs: start, endMs, offsetMs }] : pieces
  }

  /** Finds the first instant with the offset of `endMs`, which isn't that of `startMs`. */
  #changeBetween(startMs: number, endMs: number): number {
    const offset = this.offsetAt(startMs)
    let [same, other] = [startMs, endMs]
    while (other - same > 1) {
      const middle = Math.floor((same + other) / 2)
      if (this.offsetAt(middle) === offset) same = middle
      else other = middle
    }
    return other
  }
}

function formatOf(name: string): Intl.DateTimeFormat {
  try {
    // Newer versions of V8 also take offsets such as +02:00, which aren't names of zones.
    const options = { timeZone: name, timeZoneName: 'longOffset' } as const
    if (/^[A-Za-z]/.test(name)) return new Intl.DateTimeFormat('en-US', options)
  } catch {
    // V8's message says less than ours.
  }
  const expected = 'expected a name of the IANA database such as Europe/Berlin'
  const nearest = nearestZone(name)
  const hint = nearest === undefined ? '' : `; the nearest is ${nearest}`
  throw new QueryError('INVALID_TIMEZONE', `Invalid timezone '${name}', ${expected}${hint}`)
}

/** The zone whose name, or whose city, is nearest to a name; undefined if none is near. */
function nearestZone(name: string): string | undefined {
  const zones = ['UTC', ...Intl.supportedValuesOf('timeZone')]
  const byName = new Map(zones.map((zone) => [zone.toLowerCase(), zone]))
  for (const zone of zones) {
    const city = zone.slice(zone.lastIndexOf('/') + 1).toLowerCase()
    if (!byName.has(city)) byName.set(city, zone)
  }
  const nearest = nearestName(name.toLowerCase().replaceAll(' ', '_'), [...byName.keys()])
  return byName.get(nearest ?? '')
}
