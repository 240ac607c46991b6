// The names of totals: a total's key contains a short name itself, and the hash of a long one.
// What is here works for either store.
import type { QueryDatabase } from '../../query-database.js'

/**
 * The SQL of the name that a total's `group_name` represents. If the name of a hash isn't stored,
 * the hash itself is shown.
 */
export const NAME_OF_GROUP = `CASE substr(group_name, 1, 1) WHEN '' THEN NULL
  WHEN '#' THEN coalesce((SELECT name FROM rollup_names WHERE key = group_name LIMIT 1), group_name)
  ELSE substr(group_name, 2) END`

/**
 * Returns a function that does the same as NAME_OF_GROUP in JavaScript, for many totals: it reads
 * each long name once.
 */
export function readGroupNames(database: QueryDatabase): (groupName: string) => string | null {
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
