import { DAY_LENGTH, HOUR_LENGTH } from '../../folds/sums/rollups.js'
import type { TextRange } from './condition.js'

/**
 * How finely requests are read: sums are kept by day and by hour, and below that there are only
 * rows.
 */
export type Grain = 'day' | 'hour' | 'row'

/**
 * Roll-ups whose period is in a range, or rows whose timestamp is, to add to an answer or to take
 * from it.
 */
export interface Term {
  sign: 1 | -1
  grain: Grain
  range: TextRange
}

/** How many characters of a timestamp name its period. */
export const PERIOD_LENGTH = { day: DAY_LENGTH, hour: HOUR_LENGTH, minute: 16 } as const

/** The lengths of time that requests can be told apart by. */
export type Period = keyof typeof PERIOD_LENGTH

/** Whether a row's timestamp is in a range. */
export type RowProbe = (range: TextRange) => boolean

const FINER = { day: 'hour', hour: 'row' } as const

/**
 * Splits a window into roll-ups and rows that add up to exactly its requests, with as few rows as
 * possible: at most half an hour of them at each end.
 *
 * Timestamps are compared as texts, so this also holds for rows from before the journal whose
 * timestamp is any text: one whose beginning sorts before or after that of a bound does so as a
 * whole.
 *
 * @param coarsest 'hour' where days would be too long, 'row' where the sums don't know what is
 *   asked.
 */
export function windowTerms(range: TextRange, coarsest: Grain, hasRows: RowProbe): Term[] {
  return isEmpty(range) ? [] : termsOf(coarsest, range, {}, 1, hasRows)
}

function isEmpty({ from, after, to, before }: TextRange): boolean {
  const start = from ?? after
  const end = to ?? before
  if (start === undefined || end === undefined || start < end) return false
  return start > end || after !== undefined || before !== undefined
}

/** The range of all texts that begin like this. */
export function startingWith(beginning: string): TextRange {
  return { from: beginning, before: `${beginning}\u{10ffff}` }
}

/** The terms of a range, cut by another one. */
function termsOf(grain: Grain, range: TextRange, within: TextRange, sign: 1 | -1, hasRows: RowProbe): Term[] {
  if (grain === 'row') return [{ sign, grain, range: narrow(within, range) }]
  const length = PERIOD_LENGTH[grain]
  const first = (range.from ?? range.after)?.slice(0, length)
  const last = (range.to ?? range.before)?.slice(0, length)
  if (first !== undefined && first === last) return partOfPeriod(grain, first, range, sign, hasRows)
  const { from, after, to, before } = range
  return [
    { sign, grain, range: narrow(within, { after: first, before: last }) },
    ...(first === undefined ? [] : partOfPeriod(grain, first, { from, after }, sign, hasRows)),
    ...(last === undefined ? [] : partOfPeriod(grain, last, { to, before }, sign, hasRows)),
  ]
}

/**
 * The terms of a range within one period: what is in it, or the whole period less the rest,
 * whichever reads less.
 */
function partOfPeriod(
  grain: 'day' | 'hour',
  period: string,
  range: TextRange,
  sign: 1 | -1,
  hasRows: RowProbe,
): Term[] {
  const within = startingWith(period)
  const others = complement(range).filter((other) => hasRows(narrow(within, other)))
  const start = shareBefore(grain, range.from ?? range.after) ?? 0
  const end = shareBefore(grain, range.to ?? range.before) ?? 1
  const finer = FINER[grain]
  if (others.length > 0 && end - start <= 0.5) return termsOf(finer, range, within, sign, hasRows)
  const whole: Term = { sign, grain, range: { from: period, to: period } }
  const opposite = sign === 1 ? -1 : 1
  return [whole, ...others.flatMap((other) => termsOf(finer, other, within, opposite, hasRows))]
}

/** The ranges before and after a range. */
function complement({ from, after, to, before }: TextRange): TextRange[] {
  const below = from === undefined && after === undefined ? [] : [{ before: from, to: after }]
  const above = to === undefined && before === undefined ? [] : [{ after: to, from: before }]
  return [...below, ...above]
}

/** Roughly how much of its period lies before a canonical timestamp. */
function shareBefore(grain: 'day' | 'hour', timestamp: string | undefined): number | undefined {
  if (timestamp === undefined) return undefined
  const [greater, smaller, whole] = grain === 'day' ? [11, 14, 24] : [14, 17, 60]
  const units =
    Number(timestamp.slice(greater, greater + 2)) + Number(timestamp.slice(smaller, smaller + 2)) / 60
  return units / whole
}

/** A range cut by another one that contains it: each end is its own bound, or else the other's. */
export function narrow(within: TextRange, { from, after, to, before }: TextRange): TextRange {
  return {
    ...(from === undefined && after === undefined
      ? { from: within.from, after: within.after }
      : { from, after }),
    ...(to === undefined && before === undefined ? { to: within.to, before: within.before } : { to, before }),
  }
}
