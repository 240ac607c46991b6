import type { ExchangeRateObserved } from '../../events/event-types.js'
import type { PlacedRate } from '../../folds/costs/price.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { readPrices } from '../../store/sqlite/price-queries.js'
import { type JournalPlace, placedEvent } from '../rows/full-row.js'

/** An exchange rate, and the place of its event. */
export interface ListedRate extends Omit<ExchangeRateObserved, 'type'>, JournalPlace {}

/**
 * Lists every exchange rate, the newest first. If several are for the same time, the one that was
 * appended last comes first: it corrects the others.
 */
export function rates(database: QueryDatabase): ListedRate[] {
  return readPrices(database).rates.toSorted(compareRates).map(placedEvent)
}

function compareRates(a: PlacedRate, b: PlacedRate): number {
  const [one, other] = [a.event.observed_at, b.event.observed_at]
  if (one !== other) return one < other ? 1 : -1
  return b.segmentId - a.segmentId || b.byteOffset - a.byteOffset
}
