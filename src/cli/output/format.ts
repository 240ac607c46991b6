import { sizeText } from '../../maintenance/count-text.js'

const wholeNumber = numberFormat({ maximumFractionDigits: 0 })
const twoDigits = numberFormat({ minimumFractionDigits: 2, maximumFractionDigits: 2 })

/** Stands in the place of an unknown value. */
export const UNKNOWN = '–'

const SHOWN_VALUE = 60

/**
 * Formats numbers with commas between thousands. The format is made when it is first used: making
 * one takes a tenth of the time in which a command starts, and most commands need none.
 */
export function numberFormat(options: Intl.NumberFormatOptions): (value: number) => string {
  let format: Intl.NumberFormat | undefined
  return (value) => {
    format ??= new Intl.NumberFormat('en-US', options)
    return format.format(value)
  }
}

/** `28,185` */
export function formatCount(value: number | null): string {
  return value === null ? UNKNOWN : wholeNumber(value)
}

/** `1,234.50`, or `0.0042` if two digits would show nothing. */
export function formatSats(value: number | null): string {
  if (value === null) return UNKNOWN
  const size = Math.abs(value)
  if (size === 0 || size >= 0.1) return twoDigits(value)
  return size >= 0.0001 ? value.toFixed(4) : value.toExponential(1)
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

/** `95.0 %` */
export function formatShare(part: number, whole: number): string {
  return whole === 0 ? UNKNOWN : `${((part / whole) * 100).toFixed(1)} %`
}

/** A value of a database's column as JSON, or the beginning of it if it is long. */
export function formatValue(value: unknown): string {
  const text = Buffer.isBuffer(value)
    ? `a blob of ${value.length} bytes`
    : (JSON.stringify(value) ?? 'nothing')
  return text.length <= SHOWN_VALUE ? text : `${text.slice(0, SHOWN_VALUE)}…`
}
