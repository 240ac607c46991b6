// The keys by which stores find dimensions, counters and totals, whose names may be long.
import { createHash } from 'node:crypto'

/**
 * Returns a key for names of any length: the first 16 bytes, in hexadecimal, of the SHA-256 of
 * their JSON array.
 */
export function shortHash(names: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 32)
}

/**
 * Whether a name is too long for a total's key, and is therefore stored in `rollup_names`. Changing
 * the case of its ASCII letters doesn't change the answer.
 */
export function isLongName(name: string | null): name is string {
  // A UTF-16 unit is at most three bytes of UTF-8.
  return name !== null && name.length * 3 > MAX_BYTES && Buffer.byteLength(name) > MAX_BYTES
}

/**
 * The most UTF-8 bytes of a name that is part of a total's key itself. A page of 4 KiB holds a
 * thousand bytes of a key, so each total with a longer key would take two pages of its own; a name
 * this short costs hardly more than a hash.
 */
const MAX_BYTES = 128

/**
 * Returns the value of `group_name`, a column of the totals' key, for the name that a group's
 * requests share: '' for null, `=` and a short name, or `#` and the hash of a long one.
 */
export function groupName(name: string | null): string {
  if (name === null) return ''
  return isLongName(name) ? `#${shortHash([name])}` : `=${name}`
}
