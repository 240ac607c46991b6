import { DAY_LENGTH, HOUR_LENGTH } from '../../store/sqlite/rollups/rollup-tables.js'
import type { TextRange } from './condition.js'

/** Sums are kept by day and by hour; below that there are only the rows. */
export type Grain = 'day' | 'hour' | 'row'

/** Something to add to an answer, or to take from it: the roll-ups whose period is in a range, or such rows. */
export interface Term {
  sign: 1 | -1
  grain: Grain
  range: TextRange
}

/** How many characters of a timestamp name its period. */
export const PERIOD_LENGTH = { day: DAY_LENGTH, hour: HOUR_LENGTH, minute: 16 } as const

/** Whether a row's timestamp is in a range. */
export type RowProbe = (range: TextRange) => boolean

const FINER = { day: 'hour', hour: 'row' } as const

/**
 * A window as a sum of roll-ups and rows that is exactly its requests, with as few rows as can be: at most half an hour
 * of them at each end.
 *
 * It is a matter of texts, not of times, so that it also holds for timestamps from before the journal that are none: a
 * text whose beginning sorts before or behind that of a bound does so itself.
 *
 * @param coarsest 'hour' where days would be too long, 'row' where the sums don't know what is asked.
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

/** The range of all texts with a beginning. */
export function startingWith(beginning: string): TextRange {
  return { from: beginning, before: `${beginning}\u{10ffff}` }
}

/** The rows of a range, as far as they are within another one. */
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

/** A range within one period: what is in it, or the whole period less what isn't, whichever reads less. */
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

/** What isn't in a range. */
function complement({ from, after, to, before }: TextRange): TextRange[] {
  const below = from === undefined && after === undefined ? [] : [{ before: from, to: after }]
  const above = to === undefined && before === undefined ? [] : [{ after: to, from: before }]
  return [...below, ...above]
}

/** How much of its period lies before a canonical timestamp, roughly. */
function shareBefore(grain: 'day' | 'hour', timestamp: string | undefined): number | undefined {
  if (timestamp === undefined) return undefined
  const [greater, smaller, whole] = grain === 'day' ? [11, 14, 24] : [14, 17, 60]
  const units =
    Number(timestamp.slice(greater, greater + 2)) + Number(timestamp.slice(smaller, smaller + 2)) / 60
  return units / whole
}

/** A range that lies within another one: of each end only its own bound, where it has one. */
export function narrow(within: TextRange, { from, after, to, before }: TextRange): TextRange {
  return {
    ...(from === undefined && after === undefined
      ? { from: within.from, after: within.after }
      : { from, after }),
    ...(to === undefined && before === undefined ? { to: within.to, before: within.before } : { to, before }),
  }
}
