import { createHash } from 'node:crypto'
import type { Database } from 'better-sqlite3'

/**
 * Returns a key for names of any length: the first 16 bytes, in hexadecimal, of the SHA-256 of
 * their JSON array.
 */
export function shortHash(names: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 32)
}

/**
 * Gives SQL `short_hash(name, …)`, which only migrations use: the schema itself works without it.
 */
export function defineShortHash(database: Database): void {
  const options = { deterministic: true, varargs: true }
  database.function('short_hash', options, (...names: unknown[]) => shortHash(names))
}

/**
 * Whether a name stands in `rollup_names`. The ASCII case of its letters changes nothing about
 * that.
 */
export function isLongName(name: string | null): name is string {
  // A UTF-16 unit is at most three bytes of UTF-8.
  return name !== null && name.length * 3 > MAX_BYTES && Buffer.byteLength(name) > MAX_BYTES
}

/**
 * The most UTF-8 bytes of a name that stands in a total's key itself. A page of 4 KiB holds a
 * thousand bytes of a key, so each total with a longer key took two pages of its own; a name this
 * short costs hardly more than a hash.
 */
const MAX_BYTES = 128

/**
 * Returns a group's name as a key of the totals: '' for null, `=` and a short name, or `#` and the
 * hash of a long one.
 */
export function groupName(name: string | null): string {
  if (name === null) return ''
  return isLongName(name) ? `#${shortHash([name])}` : `=${name}`
}

/**
 * The SQL of the name that a total's `group_name` stands for. A hash without its name is its own
 * name.
 */
export const NAME_OF_GROUP = `CASE substr(group_name, 1, 1) WHEN '' THEN NULL
  WHEN '#' THEN coalesce((SELECT name FROM rollup_names WHERE key = group_name), group_name)
  ELSE substr(group_name, 2) END`

/** Returns the twin of NAME_OF_GROUP for many totals, which reads each long name once. */
export function readGroupNames(database: Database): (groupName: string) => string | null {
  const names = new Map<string, string>()
  const find = database.prepare<[string], string>('SELECT name FROM rollup_names WHERE key = ?').pluck()
  return (groupName) => {
    if (groupName === '') return null
    if (!groupName.startsWith('#')) return groupName.slice(1)
    let name = names.get(groupName)
    if (name === undefined) {
      name = find.get(groupName) ?? groupName
      names.set(groupName, name)
    }
    return name
  }
}
