import type { Condition, TextRange } from '../window/condition.js'
import type { PageEnd, RequestOrder } from '../window/row-slice.js'

/** Rows of a range of timestamps, in which a condition on ids holds. */
export interface Part {
  range: TextRange
  ids: Condition[]
}

/**
 * What of a range comes behind a row, in the order of timestamps and ids, as parts one behind the other: rows of the
 * same timestamp, then the rest. Each is a seek in the index of timestamps. Comparing the pair at once would step over
 * all rows of that timestamp, and lines without one have that of their day: those may be millions.
 */
export function partsBehind(range: TextRange, order: RequestOrder, behind: PageEnd | null): Part[] {
  const key = behind?.key
  if (behind === null || typeof key !== 'string') return [{ range, ids: [] }]
  const { from, after, to, before } = range
  const isBehindStart = (from === undefined || key >= from) && (after === undefined || key > after)
  const isBeforeEnd = (to === undefined || key <= to) && (before === undefined || key < before)
  const ties: Part = {
    range: { from: key, to: key },
    ids: [{ sql: order === 'asc' ? 'id > ?' : 'id < ?', values: [behind.id] }],
  }
  const isReached = order === 'asc' ? isBehindStart : isBeforeEnd
  const rest = order === 'asc' ? { after: key, to, before } : { from, after, before: key }
  return [...(isBehindStart && isBeforeEnd ? [ties] : []), { range: isReached ? rest : range, ids: [] }]
}
