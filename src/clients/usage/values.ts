import type { Scanned, ScannedObject } from './wanted-members.js'

// Reads values of a body, of which any member may be missing or of any kind: each function returns
// the value if it's what the log can hold, and otherwise null or something empty.

/** Null for anything but a count that JSON readers agree on: a count is never guessed. */
export function count(value: Scanned | undefined): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) + 0 : null
}

/** Null for anything but a finite amount of money of 0 or more. */
export function amount(value: Scanned | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value + 0 : null
}

/** A text that can be logged as a name; null for anything else, and for an empty text. */
export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? withoutNul(value) : null
}

/**
 * Puts U+FFFD in place of each NUL: the journal refuses an event with a NUL in a name, and the
 * request would have no row.
 */
export function withoutNul(name: string): string {
  return name.replaceAll('\0', '\ufffd')
}

/** An object; one without members for anything else. */
export function object(value: Scanned | undefined): ScannedObject {
  return isObject(value) ? value : NOTHING
}

export function isObject(value: Scanned | undefined): value is ScannedObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The elements of an array, each as `object` gives it; none for anything else. */
export function objects(value: Scanned | undefined): ScannedObject[] {
  return Array.isArray(value) ? value.map(object) : []
}

const NOTHING: ScannedObject = Object.freeze({})

/**
 * The sum of parts that don't overlap. An unknown part counts as 0, but if `main` is unknown, so is
 * the sum.
 */
export function sum(main: number | null, ...parts: (number | null)[]): number | null {
  if (main === null) return null
  const total = parts.reduce<number>((total, part) => total + (part ?? 0), main)
  return count(total)
}
