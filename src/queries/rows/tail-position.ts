import { QueryError } from '../errors.js'

/**
 * How far a tail has read. In a file, it is the id of the last request. In PostgreSQL, where
 * transactions of many journals commit in any order, it is a text with the ordinal of the last
 * request of each journal.
 */
export type TailPosition = number | string

/** The ordinals of the last requests, by the numbers of their journals. */
export type JournalPositions = ReadonlyMap<number, number>

const RADIX = 36
const FORM = /^p(?:[0-9a-z]{1,4}\.[0-9a-z]{1,8}(?:-(?!$)|$))*$/

/** Whether a text is a position in PostgreSQL. */
export function isSharedPosition(text: string): boolean {
  return FORM.test(text)
}

/** Formats positions in the order of their journals: `p1.2s-2.5k0`. */
export function formatPositions(positions: JournalPositions): string {
  const sorted = [...positions].sort(([a], [b]) => a - b)
  const texts = sorted.map(([journal, last]) => `${journal.toString(RADIX)}.${last.toString(RADIX)}`)
  return `p${texts.join('-')}`
}

/** @throws QueryError INVALID_CURSOR */
export function parsePositions(position: TailPosition): JournalPositions {
  if (typeof position !== 'string' || !isSharedPosition(position)) throw invalidPosition(position)
  const texts = position
    .slice(1)
    .split('-')
    .filter((text) => text !== '')
  return new Map(
    texts.map((text) => text.split('.').map((part) => Number.parseInt(part, RADIX)) as [number, number]),
  )
}

/**
 * Returns the position that is about `count` requests before another one.
 *
 * @throws QueryError INVALID_CURSOR
 */
export function positionBefore(position: TailPosition, count: number): TailPosition {
  if (typeof position === 'number') return Math.max(0, position - count)
  const positions = parsePositions(position)
  const ofEach = Math.ceil(count / Math.max(1, positions.size))
  return formatPositions(
    new Map([...positions].map(([journal, last]) => [journal, Math.max(0, last - ofEach)])),
  )
}

export function invalidPosition(found: TailPosition): QueryError {
  return new QueryError('INVALID_CURSOR', `Invalid position '${found}': it isn't one of this database`)
}
