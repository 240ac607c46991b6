import { canonicalTimestamp } from '../../events/timestamp.js'
import type { TimeZone } from '../../queries/window/time-zone.js'
import { RowProblem } from './imported-row.js'
import { shown } from './row-values.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Numbers below this are seconds since 1970, others milliseconds. As seconds, it is in the year
 * 5138.
 */
const FIRST_MILLISECONDS = 1e11

const TIME =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?(?:[.,](\d+))? ?(?:(Z|UTC|GMT)|([+-]\d{2}):?(\d{2})?)?$/i

/** Thrown for a time without an offset while no zone was given. */
export class ZoneMissing extends Error {
  override readonly name = 'ZoneMissing'
}

/**
 * Reads the times of a source. A time with an offset is an instant, and so is a number of seconds or
 * milliseconds since 1970. Any other time is one that the clocks of a zone showed: if they showed it
 * twice, the first instant is taken; if they never did, the row is refused.
 */
export class ImportTimes {
  /** How many times in the current row were shown twice by the zone's clocks. */
  ambiguous = 0
  readonly #zone: TimeZone | null
  /**
   * How far the zone is ahead in each local hour; null: its clocks change less than a day before or
   * after it.
   */
  readonly #offsets = new Map<number, number | null>()

  /** @param zone the zone of times without an offset; null: there must be none. */
  constructor(zone: TimeZone | null) {
    this.#zone = zone
  }

  /**
   * The instant in milliseconds since 1970; null if nothing is given.
   *
   * @throws RowProblem; ZoneMissing
   */
  instant(value: unknown, column: string): number | null {
    if (value === undefined || value === null || value === '') return null
    if (value instanceof Date) return value.getTime()
    if (typeof value === 'number' || typeof value === 'bigint') return this.#ofNumber(Number(value), column)
    const text = String(value).trim()
    const canonical = canonicalTimestamp(text)
    if (canonical !== null) return Date.parse(canonical)
    if (/^\d{9,14}(\.\d+)?$/.test(text)) return this.#ofNumber(Number(text), column)
    return this.#ofText(text, column)
  }

  #ofNumber(number: number, column: string): number {
    const ms = Math.floor(number < FIRST_MILLISECONDS ? number * 1000 : number)
    if (ms > 0 && ms < 253_402_300_800_000) return ms
    throw new RowProblem(`${column}: found ${number}, expected seconds or milliseconds since 1970`)
  }

  #ofText(text: string, column: string): number {
    const [, day, minute, second = ':00', fraction = '', utc, hours, minutes = '00'] = TIME.exec(text) ?? []
    if (day === undefined || minute === undefined) throw this.#wrongTime(text, column)
    const wall = `${day}T${minute}${second}.${fraction.slice(0, 3).padEnd(3, '0')}`
    const offset = utc !== undefined ? 'Z' : hours === undefined ? '' : `${hours}:${minutes}`
    const canonical = canonicalTimestamp(`${wall}${offset === '' ? 'Z' : offset}`)
    if (canonical === null) throw this.#wrongTime(text, column)
    return offset === '' ? this.#ofClock(Date.parse(canonical), text, column) : Date.parse(canonical)
  }

  #ofClock(localMs: number, text: string, column: string): number {
    const zone = this.#zone
    if (zone === null) {
      const found = `${column}: the time '${shown(text)}' has no offset`
      throw new ZoneMissing(
        `${found}; say which zone such times are in: --timezone UTC, or --timezone Europe/Berlin`,
      )
    }
    const hourMs = Math.floor(localMs / HOUR_MS) * HOUR_MS
    let offset = this.#offsets.get(hourMs)
    if (offset === undefined) {
      const [before, after] = [zone.offsetAt(hourMs - DAY_MS), zone.offsetAt(hourMs + DAY_MS)]
      offset = before === after ? before : null
      this.#offsets.set(hourMs, offset)
    }
    if (offset !== null) return localMs - offset
    const first = zone.instantAt(localMs, 'start')
    if (first + zone.offsetAt(first) !== localMs) {
      const found = `${column}: there was no '${shown(text)}' in ${zone.name}, where clocks were put forward past it`
      throw new RowProblem(`${found}: is it a time of another zone?`)
    }
    if (zone.instantAt(localMs, 'end') !== first) this.ambiguous++
    return first
  }

  #wrongTime(text: string, column: string): RowProblem {
    const local = `2026-11-22 19:43:00${this.#zone === null ? ' with --timezone' : ''}`
    const hint = /^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}/.test(text) ? ': year, month, day in this order' : ''
    const expected = `expected a time such as 2026-11-22T19:43:00Z, or ${local}`
    return new RowProblem(`${column}: found '${shown(text)}', ${expected}${hint}`)
  }
}
