import type { PriceSet } from '../../events/event-types.js'
import { isBefore } from '../../events/place.js'
import { isWithdrawn, type PlacedPrice } from '../../folds/costs/price.js'
import { grouped } from '../../folds/grouped.js'

/**
 * Returns the key of a price: if two prices have the same key, the later one replaces the other.
 */
export function keyOf(
  price: Pick<PriceSet, 'provider' | 'model' | 'service_tier' | 'min_input_tokens'>,
): string {
  const { provider, model, service_tier, min_input_tokens } = price
  return JSON.stringify([provider, model, service_tier, min_input_tokens])
}

/** Groups prices by their keys. Each group is sorted by `valid_from`, then by place. */
export function historiesOf(prices: readonly PlacedPrice[]): Map<string, PlacedPrice[]> {
  return grouped(prices.toSorted(compareTimes), ({ event }) => keyOf(event))
}

function compareTimes(a: PlacedPrice, b: PlacedPrice): number {
  if (a.event.valid_from !== b.event.valid_from) return a.event.valid_from < b.event.valid_from ? -1 : 1
  return isBefore(a, b) ? -1 : 1
}

/** Returns the price of a history that is in force at an instant; null if none is. */
export function inForceAt<T extends { event: PriceSet }>(history: readonly T[], instant: string): T | null {
  const last = history.findLast(({ event }) => event.valid_from <= instant)
  return last === undefined || isWithdrawn(last.event) ? null : last
}
