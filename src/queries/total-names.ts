import { groupName, isLongName } from '../store/sqlite/rollups/group-names.js'
import type { Condition } from './window/condition.js'

/**
 * The condition that a total has one of these names.
 *
 * @param ignoresCase whether names that differ in ASCII case only match too.
 */
export function isTotalOf(names: readonly (string | null)[], ignoresCase: boolean): Condition {
  // A hash doesn't tell which names differ in case only, so that long ones have to be looked for.
  const [sought, known] = ignoresCase
    ? [names.filter(isLongName), names.filter((name) => !isLongName(name))]
    : [[], names]
  const collation = ignoresCase ? ' COLLATE NOCASE' : ''
  const isSought =
    'group_name IN (SELECT key FROM rollup_names WHERE name COLLATE NOCASE IN (SELECT value FROM json_each(?)))'
  if (known.length === 0) return { sql: isSought, values: [JSON.stringify(sought)] }
  const [first = null] = known
  const isKnown =
    known.length === 1
      ? { sql: `group_name = ?${collation}`, values: [groupName(first)] }
      : {
          sql: `group_name${collation} IN (SELECT value FROM json_each(?))`,
          values: [JSON.stringify(known.map(groupName))],
        }
  if (sought.length === 0) return isKnown
  return { sql: `(${isKnown.sql} OR ${isSought})`, values: [...isKnown.values, JSON.stringify(sought)] }
}
