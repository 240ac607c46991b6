import { billionthsText } from './amount.js'
import { addDays } from './bill-dates.js'
import { type Entry, isRounding, sumOf } from './comparison.js'
import { likelyName } from './model-names.js'
import { sizeOf } from './tolerance.js'

/**
 * Why a day and model may differ:
 *
 * - `no_model`: the bill's lines name no model.
 * - `other_name`: only one side has the model, and the other side has one with a similar name.
 * - `not_logged`, `not_billed`: only one side has the model.
 * - `unpriced`: more was billed than logged, and requests have no known cost.
 * - `rounding`: the bill's rounding explains it.
 * - `every_day`: the model differs by about the same share on most days that both sides have, of at
 *   least three.
 * - `other_day`: the day before or after differs by about as much the other way.
 * - `edge_day`: it is the first or the last of at least three days that are compared, and neither the
 *   name nor what every day has is the reason.
 */
export type DifferenceReason =
  | 'no_model'
  | 'other_name'
  | 'not_logged'
  | 'not_billed'
  | 'unpriced'
  | 'rounding'
  | 'every_day'
  | 'other_day'
  | 'edge_day'

/** The day and model that differ most. */
export interface LargestDifference {
  day: string
  model: string | null
  /** Billed less logged. */
  difference: string
  /** Those that apply, the likeliest first. */
  reasons: DifferenceReason[]
  /** With `other_name`: the name that the other side has. */
  other_name?: string
  /** With `other_day`. */
  other_day?: string
}

/** Finds the largest difference and the likely reasons for it; null if nothing differs. */
export function largestDifference(entries: readonly Entry[], halfUnit: bigint): LargestDifference | null {
  const first = entries[0]
  if (first === undefined) return null
  const largest = entries.reduce((a, b) => (sizeOf(differenceOf(b)) > sizeOf(differenceOf(a)) ? b : a), first)
  const difference = differenceOf(largest)
  if (difference === 0n) return null
  const reasons: DifferenceReason[] = []
  const { day, billed, logged } = largest
  const otherName = otherNameOf(largest, entries)
  if (billed?.name === '') reasons.push('no_model')
  else if (otherName !== null) reasons.push('other_name')
  else if (logged === undefined) reasons.push('not_logged')
  else if (billed === undefined) reasons.push('not_billed')
  if (difference > 0n && logged !== undefined && logged.unpriced > 0) reasons.push('unpriced')
  const isByRounding = isRounding(largest, halfUnit)
  const isEveryDay = !isByRounding && differsEveryDay(largest, entries)
  if (isByRounding) reasons.push('rounding')
  if (isEveryDay) reasons.push('every_day')
  const otherDay = isByRounding || isEveryDay ? null : otherDayOf(largest, entries)
  if (otherDay !== null) reasons.push('other_day')
  const days = [...new Set(entries.map((entry) => entry.day))].sort()
  const isAtEdge = days.length > 2 && (day === days[0] || day === days.at(-1))
  if (isAtEdge && otherName === null && !isByRounding && !isEveryDay) reasons.push('edge_day')
  return {
    day,
    model: largest.name,
    difference: billionthsText(difference),
    reasons,
    ...(otherName === null ? {} : { other_name: otherName }),
    ...(otherDay === null ? {} : { other_day: otherDay }),
  }
}

function differenceOf(entry: Entry): bigint {
  return sumOf([entry]).difference
}

/** A similar name that only the other side has, if only one side has this name. */
function otherNameOf({ key, billed, logged }: Entry, entries: readonly Entry[]): string | null {
  const keysOf = (side: 'billed' | 'logged') =>
    new Set(entries.filter((entry) => entry[side] !== undefined).map((entry) => entry.key))
  const [side, otherSide] =
    billed === undefined ? (['logged', 'billed'] as const) : (['billed', 'logged'] as const)
  const own = keysOf(side)
  if (keysOf(otherSide).has(key)) return null
  const others = entries.flatMap((entry) => (own.has(entry.key) ? [] : [entry[otherSide]?.name ?? '']))
  return likelyName((billed ?? logged)?.name ?? '', new Set(others))
}

/**
 * Whether a model differs by about the same share, from half to twice as much, on at least two
 * thirds of the days that both sides have.
 */
function differsEveryDay(largest: Entry, entries: readonly Entry[]): boolean {
  const share = shareOf(largest)
  const shares = entries.filter(({ key }) => key === largest.key).map(shareOf)
  const known = shares.filter((other) => other !== null)
  if (share === null || known.length < 3) return false
  const alike = known.filter((other) => other / share >= 0.5 && other / share <= 2)
  return alike.length * 3 >= known.length * 2
}

/** The difference as a share of what was billed; null unless both sides have something. */
function shareOf(entry: Entry): number | null {
  const { billed, logged, difference } = sumOf([entry])
  return billed === 0n || logged.cost === 0n ? null : Number(difference) / Number(billed)
}

/** A neighbouring day whose difference cancels out at least half of this one. */
function otherDayOf(largest: Entry, entries: readonly Entry[]): string | null {
  const difference = differenceOf(largest)
  const days = [addDays(largest.day, -1), addDays(largest.day, 1)]
  const found = entries.find(
    (entry) =>
      entry.key === largest.key &&
      days.includes(entry.day) &&
      2n * sizeOf(difference + differenceOf(entry)) <= sizeOf(difference),
  )
  return found?.day ?? null
}
