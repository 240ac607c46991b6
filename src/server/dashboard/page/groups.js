import { formatCount } from './format.js'

/**
 * Returns what the names of a grouping are: `team` for `label:team`, `service tier`.
 *
 * @param {string} by
 */
export function kindOf(by) {
  return by.startsWith('label:') ? by.slice('label:'.length) : by.replace('_', ' ')
}

/**
 * Returns how a group is called.
 *
 * @param {string} by
 * @param {string | null} name null: the requests without a name
 */
export function groupName(by, name) {
  return name === null ? `(no ${kindOf(by)})` : name || '""'
}

/** @param {number | null} count how many names are added up; null: too many to be counted */
export function othersText(count) {
  return count === null ? 'all others' : count === 1 ? '1 other' : `${formatCount(count)} others`
}
