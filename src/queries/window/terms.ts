import { DAY_LENGTH, HOUR_LENGTH } from '../../folds/sums/rollups.js'
import type { TextRange } from '../../store/condition.js'

/**
 * What requests are counted from: sums are kept by day and by hour, and anything finer has to be
 * read from rows.
 */
export type Grain = 'day' | 'hour' | 'row'

/**
 * One term of a sum: the roll-ups whose period is in a range, or the rows whose timestamp is, to be
 * added or subtracted.
 */
export interface Term {
  sign: 1 | -1
  grain: Grain
  range: TextRange
}

/** How many characters of a timestamp name its period. */
export const PERIOD_LENGTH = { day: DAY_LENGTH, hour: HOUR_LENGTH, minute: 16 } as const

/** The lengths of time by which requests can be grouped. */
export type Period = keyof typeof PERIOD_LENGTH

/** Whether the timestamp of any row is in a range. */
export type RowProbe = (range: TextRange) => boolean

const FINER = { day: 'hour', hour: 'row' } as const

/**
 * Splits a window into roll-ups and rows that add up to exactly its requests, with as few rows as
 * possible: at most half an hour of them at each end.
 *
 * Timestamps are compared as texts, so this also holds for rows older than the journal, whose
 * timestamp may be any text: if the beginning of a text sorts before or after the beginning of a
 * bound, so does the whole text.
 *
 * @param coarsest 'hour' if days would be too long, 'row' if the roll-ups can't answer.
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

/** Returns the range of all texts with a certain beginning. */
export function startingWith(beginning: string): TextRange {
  return { from: beginning, before: `${beginning}\u{10ffff}` }
}

/** Returns the terms of a range that lies within another one. */
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
 * Returns the terms of a range within one period: the range itself, or the whole period minus the
 * rest of it, whichever reads less.
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

/** Returns roughly which share of its period lies before a canonical timestamp, from 0 to 1. */
function shareBefore(grain: 'day' | 'hour', timestamp: string | undefined): number | undefined {
  if (timestamp === undefined) return undefined
  const [greater, smaller, whole] = grain === 'day' ? [11, 14, 24] : [14, 17, 60]
  const units =
    Number(timestamp.slice(greater, greater + 2)) + Number(timestamp.slice(smaller, smaller + 2)) / 60
  return units / whole
}

/** Fills the missing bounds of a range from another range that contains it. */
export function narrow(within: TextRange, { from, after, to, before }: TextRange): TextRange {
  return {
    ...(from === undefined && after === undefined
      ? { from: within.from, after: within.after }
      : { from, after }),
    ...(to === undefined && before === undefined ? { to: within.to, before: within.before } : { to, before }),
  }
}
