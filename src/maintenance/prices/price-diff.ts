import { PRICE_PARTS, type PriceSet } from '../../events/event-types.js'
import { scaledDecimal } from '../../folds/costs/decimal.js'
import { isWithdrawn, type PlacedPrice } from '../../folds/costs/price.js'
import { grouped } from '../../folds/grouped.js'
import { historiesOf, inForceAt, keyOf } from '../../queries/costs/price-history.js'
import { byStart, kindOf, type ListedPrice, type PriceList } from './price-list.js'

/** A price that a list changes, and the price that is in force until then. */
export interface PriceChange {
  /** Null: nothing is in force yet. */
  old: PriceSet | null
  /** The event that would be appended. Without any price it ends the old one. */
  new: PriceSet
  /** The line of the file that it is on; null if it isn't from a line. */
  line: number | null
}

/** What a list of prices would change. */
export interface PriceDiff {
  /** Prices where there was none. */
  new: PriceChange[]
  /** Prices that replace or end another one. */
  changed: PriceChange[]
  /** Prices in force that earlier imports of such a list set, and whose models it no longer has. */
  gone: PriceSet[]
  /** Prices in force that were set in another way: a public list doesn't replace them. */
  kept: PriceChange[]
  /** How many keys have the listed price already. */
  unchanged: number
}

export interface DiffOptions {
  /** When a price without a date takes effect, as a canonical timestamp. */
  validFrom: string
  /** A canonical timestamp. */
  now: string
  /** Whether a public list replaces prices that were set in another way. */
  overwrite: boolean
  /** Whether the models that are gone lose their price. */
  withdrawGone: boolean
}

/** Returns what a list changes in the stored prices. */
export function diffPrices(
  stored: readonly PlacedPrice[],
  list: Pick<PriceList, 'source' | 'isPublic' | 'prices'>,
  options: DiffOptions,
): PriceDiff {
  const histories = historiesOf(stored)
  const diff: PriceDiff = { new: [], changed: [], gone: [], kept: [], unchanged: 0 }
  const listed = grouped(list.prices, ({ event }) => keyOf(event))
  for (const [key, prices] of listed) {
    const known = histories.get(key) ?? []
    const history: { event: PriceSet }[] = [...known]
    const changes = steps(prices, list.isPublic, options).flatMap((step) => changeOf(history, step))
    const isOfStored = ({ old }: PriceChange) => known.some(({ event }) => event === old)
    const isOthers = changes.some(({ old }) => old !== null && kindOf(old.source) !== kindOf(list.source))
    if (changes.length === 0) diff.unchanged++
    else if (list.isPublic && isOthers && !options.overwrite) diff.kept.push(...changes)
    // Changed only if a stored price is replaced: within a list, later prices also follow earlier
    // ones.
    else diff[changes.some(isOfStored) ? 'changed' : 'new'].push(...changes)
  }
  if (list.isPublic) addEnded(diff, histories, listed, kindOf(list.source), options)
  return diff
}

/** The events that an import would append. */
export function priceEvents({ new: added, changed }: PriceDiff): PriceSet[] {
  return [...added, ...changed].map((change) => change.new)
}

/** A listed price and the instant from which it would be in force. */
type Step = Pick<ListedPrice, 'event' | 'line'>

/**
 * Returns when the prices of a key would begin. A public list has what is in force now, so its
 * prices begin with `validFrom`, whatever they were before. If that is in the past, price changes
 * recorded since then stay, and the list is also compared with what is in force now. A CSV file of
 * your own has its dates itself.
 */
function steps(prices: readonly ListedPrice[], isPublic: boolean, { validFrom, now }: DiffOptions): Step[] {
  const at = ({ event, line }: ListedPrice, instant: string): Step => ({
    event: { ...event, valid_from: instant },
    line,
  })
  const startOf = ({ event, isDated }: ListedPrice) => (isDated ? event.valid_from : validFrom)
  const sorted = prices.toSorted(byStart)
  if (!isPublic) return sorted.map((price) => at(price, startOf(price))).toSorted(byStart)
  const undated = prices.find(({ isDated }) => !isDated)
  const instants = new Set([validFrom, now, ...prices.map(startOf)])
  return [...instants].sort().flatMap((instant) => {
    if (instant < validFrom) return []
    const inForce = sorted.findLast((price) => price.isDated && startOf(price) <= instant) ?? undated
    return inForce === undefined ? [] : [at(inForce, instant)]
  })
}

/**
 * Returns the change that a step makes, and adds it to the history; none if the price is the same
 * already.
 */
function changeOf(history: { event: PriceSet }[], { event, line }: Step): PriceChange[] {
  const old = inForceAt(history, event.valid_from)?.event ?? null
  if (isSamePrice(old, event)) return []
  // Added after prices of the same instant, since the one with the later place counts.
  const after = history.findLastIndex((price) => price.event.valid_from <= event.valid_from)
  history.splice(after + 1, 0, { event })
  return [{ old, new: event, line }]
}

/** Adds the prices that earlier imports of such a list set, and that it no longer has. */
function addEnded(
  diff: PriceDiff,
  histories: ReadonlyMap<string, readonly PlacedPrice[]>,
  listed: ReadonlyMap<string, readonly ListedPrice[]>,
  kind: string,
  { validFrom, now, withdrawGone }: DiffOptions,
): void {
  const modelOf = ({ provider, model }: PriceSet) => JSON.stringify([provider, model])
  const models = new Set([...listed.values()].map(([first]) => first && modelOf(first.event)))
  const from = validFrom > now ? validFrom : now
  for (const [key, history] of histories) {
    const old = inForceAt(history, from)?.event ?? null
    if (old === null || listed.has(key) || kindOf(old.source) !== kind) continue
    // Otherwise a tier that a model no longer has would still apply beside its new price.
    const isTier = models.has(modelOf(old))
    if (!isTier) diff.gone.push(old)
    if (!isTier && !withdrawGone) continue
    const end = { ...old, valid_from: from, per_million: null, per_request: null }
    diff.changed.push({ old, new: end, line: null })
  }
}

/** Whether two prices cost the same: 2.5 is 2.50. */
function isSamePrice(old: PriceSet | null, price: PriceSet): boolean {
  if (old === null || isWithdrawn(price)) return old === null && isWithdrawn(price)
  // No price has more decimals.
  const value = (text: string | null | undefined) => (text ? scaledDecimal(text, 12) : null)
  return (
    old.currency === price.currency &&
    value(old.per_request) === value(price.per_request) &&
    PRICE_PARTS.every((part) => value(old.per_million?.[part]) === value(price.per_million?.[part]))
  )
}
