import { maskSecrets } from './redact.js'

/**
 * Describes a value for an error message: its type, or the value itself, shortened and without
 * secrets.
 */
export function describeValue(value: unknown, redact = maskSecrets): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(shownText(value, redact))
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return `${shownText(String(value), redact)}n`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return typeof value === 'object' ? describeObject(value) : `a ${typeof value}`
}

function describeObject(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return 'an object'
  const name: unknown = (value.constructor as { name?: unknown } | undefined)?.name
  return typeof name === 'string' ? `an instance of ${shownText(name)}` : 'an instance of a class'
}

/** How many characters of a string an error quotes. */
const SHOWN_CHARACTERS = 60

/**
 * How many characters are searched for secrets: more than are shown, so that a secret that is only
 * partly shown is found too.
 */
const SEARCHED_CHARACTERS = 1024

/**
 * Returns the beginning of a caller's string without secrets, since errors end up in the gateway's
 * log.
 */
export function shownText(text: string, redact = maskSecrets): string {
  const safe = redact(text.slice(0, SEARCHED_CHARACTERS))
  return safe.length <= SHOWN_CHARACTERS ? safe : `${safe.slice(0, SHOWN_CHARACTERS)}…`
}

/** Says in one line what a caller's getter or toJSON threw. */
export function describeThrown(error: unknown, redact = maskSecrets): string {
  return error instanceof Error
    ? shownText(error.message.split('\n')[0] ?? '', redact)
    : "a value that isn't an Error was thrown"
}
