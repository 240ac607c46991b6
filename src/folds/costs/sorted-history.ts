// Looks things up in a history: items that are sorted by their time, then by their place.
import { isBefore, type Place } from '../../events/place.js'
import { AFTER_ALL_TIMES, type TimeRange } from './time-range.js'

/**
 * How many items of a history have a time before a timestamp or, if `isInclusive`, a time that is
 * equal to it.
 */
function countUpTo<T>(
  history: readonly T[],
  timestamp: string,
  timeOf: (item: T) => string,
  isInclusive: boolean,
): number {
  let [from, to] = [0, history.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    const time = timeOf(history[middle] as T)
    if (time < timestamp || (isInclusive && time === timestamp)) from = middle + 1
    else to = middle
  }
  return from
}

/** The last item of a history whose time is at or before a timestamp. */
export function lastUpTo<T>(
  history: readonly T[],
  timestamp: string,
  timeOf: (item: T) => string,
): T | undefined {
  return history[countUpTo(history, timestamp, timeOf, true) - 1]
}

/** The items of a history that have exactly this time. */
export function sameTime<T>(
  history: readonly T[],
  timestamp: string,
  timeOf: (item: T) => string,
): readonly T[] {
  return history.slice(
    countUpTo(history, timestamp, timeOf, false),
    countUpTo(history, timestamp, timeOf, true),
  )
}

/**
 * The time from one item of a history to the next; null if another item of the same time, at
 * a later place, replaces it.
 */
export function reach<T extends { place: Place }>(
  history: readonly T[],
  timeOf: (item: T) => string,
  from: string,
  place: Place,
): TimeRange | null {
  if (sameTime(history, from, timeOf).some((item) => isBefore(place, item.place))) return null
  const next = history[countUpTo(history, from, timeOf, true)]
  return { from, until: next === undefined ? AFTER_ALL_TIMES : timeOf(next) }
}
