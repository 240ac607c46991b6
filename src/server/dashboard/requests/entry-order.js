/** @typedef {{ sort: string, order: string }} Sorting */

/**
 * Compares two entries in the server's order: an unknown cost is the smallest, and ties are broken
 * by id in the same direction.
 *
 * @param {RequestEntry} a
 * @param {RequestEntry} b
 * @param {Sorting} sorting
 */
export function compareEntries(a, b, { sort, order }) {
  const [left, right] = [keyOf(a, sort), keyOf(b, sort)]
  const byKey = left === right ? a.id - b.id : left < right ? -1 : 1
  return order === 'asc' ? byKey : -byKey
}

/**
 * @param {RequestEntry} entry
 * @param {string} sort
 */
function keyOf({ timestamp, cost, timing }, sort) {
  if (sort === 'timestamp') return timestamp
  if (sort === 'latency_ms') return timing.latency_ms
  return (sort === 'cost_usd' ? cost.usd : cost.sats) ?? Number.NEGATIVE_INFINITY
}
