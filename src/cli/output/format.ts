import { canonicalTimestamp } from '../../events/timestamp.js'
import { sizeText, wholeNumber } from '../../maintenance/count-text.js'
import type { TimeZone } from '../../queries/window/time-zone.js'

/** Shown in place of an unknown value. */
export const UNKNOWN = '–'

const SHOWN_VALUE = 60

/** `28,185` */
export function formatCount(value: number | null): string {
  return value === null ? UNKNOWN : wholeNumber(value)
}

/** `812 ms`, `12.3 s` */
export function formatMs(value: number | null): string {
  if (value === null) return UNKNOWN
  return value < 10_000 ? `${wholeNumber(value)} ms` : `${(value / 1000).toFixed(1)} s`
}

/** `1,023 B`, `10.2 MiB` */
export function formatBytes(bytes: number): string {
  return bytes < 1024 ? `${wholeNumber(bytes)} B` : sizeText(bytes)
}

/** `45 s`, `3 min`, `2.5 h` */
export function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}

/** `2026-11-22 19:43:00` of a canonical timestamp; other text stays as it is. */
export function formatTime(timestamp: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})/.exec(timestamp)
  return match === null ? timestamp : `${match[1]} ${match[2]}`
}

/**
 * When a price begins or ends, in a form that `--valid-from` takes: as {@link formatTime}, and with
 * a fraction of a second `2026-11-22T19:43:00.972Z`.
 */
export function formatInstant(timestamp: string): string {
  return timestamp.endsWith('.000Z') ? formatTime(timestamp) : timestamp
}

/** The text of {@link formatTime}, but as the clocks of a zone show the timestamp. */
export function formatLocalTime(timestamp: string, zone: TimeZone): string {
  const isTime = canonicalTimestamp(timestamp) !== null
  return formatTime(isTime ? zone.localText(Date.parse(timestamp)) : timestamp)
}

/** `95.0 %`; `<0.1 %` for a part that would be rounded to 0. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0) return UNKNOWN
  const percent = (part / whole) * 100
  return percent > 0 && percent < 0.05 ? '<0.1 %' : `${percent.toFixed(1)} %`
}

/** A value of a database's column as JSON, or the beginning of it if it is long. */
export function formatValue(value: unknown): string {
  const text = Buffer.isBuffer(value)
    ? `a blob of ${value.length} bytes`
    : (JSON.stringify(value) ?? 'nothing')
  return text.length <= SHOWN_VALUE ? text : `${text.slice(0, SHOWN_VALUE)}…`
}
