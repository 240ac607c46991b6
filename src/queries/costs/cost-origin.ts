import type { ExchangeRateObserved, PricePart, PriceSet } from '../../events/event-types.js'
import type { Place } from '../../events/placed.js'
import { decimalText } from '../../folds/costs/decimal.js'
import {
  type PriceBook,
  type PricedRequest,
  priceOf,
  type Rate,
  USUAL_TIERS,
} from '../../folds/costs/price-book.js'
import { type CostFacts, type Currency, loggedFigures, rowCost } from '../../folds/costs/row-cost.js'
import { type PricedTokens, pricedTokens, type UsageProblem } from '../../folds/costs/usage-cost.js'
import { all } from '../../store/condition.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { dialectOf } from '../../store/query-database.js'
import { readBookOf, readPrices } from '../../store/sqlite/price-rows.js'
import { detailsOf, placeOrNull, type RequestColumns } from '../../store/sqlite/stored-row.js'
import { type JournalPlace, journalPlace } from '../rows/full-row.js'

/** How the costs of a request came about, beside their source. */
export interface CostOrigin {
  /** The price that the costs were computed with; null: they weren't. */
  price: PriceOfRequest | null
  /**
   * Tokens times price, for each part that has tokens; `price.per_request` is added to them. Null:
   * the costs weren't computed with a price.
   */
  cost_parts: CostPart[] | null
  /** The rate by which the other currency than `cost_currency` follows; null: by none. */
  exchange_rate: RateOfRequest | null
  /** Why a cost is unknown; null: both are known. */
  unpriced: Unpriced | null
}

/** The event that set a price, and where it stands. */
export interface PriceOfRequest extends Omit<PriceSet, 'type'>, JournalPlace {}

/** The event that told an exchange rate, and where it stands. */
export interface RateOfRequest extends Omit<ExchangeRateObserved, 'type'>, JournalPlace {}

/** Tokens that are priced alike. Prices and costs are decimal texts, which are exact. */
export interface CostPart {
  /** Tokens of a part without a price of its own count for the whole, `input` or `output`. */
  part: PricePart
  tokens: number
  per_million: string
  cost: string
}

export interface Unpriced {
  /** In which currency the cost is unknown. */
  currency: Currency | 'both'
  /** `to_be_repriced`: what the cost follows from is there, and the projector computes it soon. */
  reason: UsageProblem | 'no_price' | 'no_rate' | 'to_be_repriced'
  /** The reason as a sentence, for people. */
  text: string
  /** The command that helps, with words in capitals for what only people know; null: none does. */
  command: string | null
}

/** Tells how the costs of a stored row came about. */
export function costOrigin(database: QueryDatabase, row: RequestColumns): CostOrigin {
  const details = detailsOf(row.details)
  const facts: CostFacts = { ...row, ...details, success: row.success !== 0 }
  const book = readBookOf(database, row, modelsOf(facts))
  const computed = rowCost(facts, loggedFigures(row), book)
  const isSame = computed.cost_sats === row.cost_sats && computed.cost_usd === row.cost_usd
  const isConverted = isSame && row.cost_currency !== null && row.cost_sats !== null && row.cost_usd !== null
  const rate = isConverted ? book.rateAt(facts.timestamp) : null
  return {
    ...computation(database, row.id, facts, placeOrNull(row.price_segment_id, row.price_byte_offset)),
    exchange_rate: rate === null ? null : placedEvent(rate),
    unpriced: unpricedOf(row, facts, book, isSame),
  }
}

/** The model that the provider says answered, and the one that was asked for. */
function modelsOf({ model, response_model }: PricedRequest): string[] {
  return response_model == null || response_model === model ? [model] : [response_model, model]
}

/** The price at a place, and what it makes of the usage. */
function computation(
  database: QueryDatabase,
  id: number,
  facts: CostFacts,
  place: Place | null,
): Pick<CostOrigin, 'price' | 'cost_parts'> {
  const none = { price: null, cost_parts: null }
  if (place === null) return none
  const { segmentId, byteOffset } = place
  const dialect = dialectOf(database)
  const { sql, values } = all([
    ...dialect.isOfJournal(dialect.journalOf(id)),
    { sql: 'segment_id = ? AND byte_offset = ?', values: [segmentId, byteOffset] },
  ])
  const { prices } = readPrices(database, sql, ...values)
  const [stored] = prices
  const at = journalPlace(segmentId, byteOffset)
  if (stored === undefined || at === null) return none
  const { type: _, ...event } = stored.event
  const priced = pricedTokens(priceOf(stored), facts)
  return { price: { ...event, ...at }, cost_parts: typeof priced === 'string' ? null : priced.map(costPart) }
}

function costPart({ part, tokens, perToken }: PricedTokens): CostPart {
  const cost = decimalText(BigInt(tokens) * perToken, 12)
  return { part, tokens, per_million: decimalText(perToken, 6), cost }
}

function placedEvent({ event: { type: _, ...event }, place }: Rate): RateOfRequest | null {
  const at = journalPlace(place.segmentId, place.byteOffset)
  return at === null ? null : { ...event, ...at }
}

function unpricedOf(
  { cost_sats, cost_usd }: RequestColumns,
  facts: CostFacts,
  book: PriceBook,
  isSame: boolean,
): Unpriced | null {
  if (cost_sats !== null && cost_usd !== null) return null
  const hasNone = cost_sats === null && cost_usd === null
  const currency = hasNone ? 'both' : cost_sats === null ? 'sats' : 'usd'
  if (!isSame) {
    const text = 'A price or an exchange rate came after this request; its cost is computed soon.'
    return { currency, reason: 'to_be_repriced', text, command: null }
  }
  if (!hasNone) return { currency, ...noRate(facts) }
  const price = book.priceFor(facts)
  if (price === null) return { currency, ...noPrice(facts, book) }
  const problem = pricedTokens(price, facts)
  // A cost too great for a number is the one other reason.
  const reason = typeof problem === 'string' ? problem : 'inconsistent_tokens'
  return { currency, reason, text: PROBLEMS[reason], command: null }
}

const PROBLEMS: Readonly<Record<UsageProblem, string>> = {
  failed_without_usage: 'It failed and nobody told its tokens, so it counts as not billed.',
  unknown_tokens: 'A price is in force, but the number of tokens that it is for is unknown.',
  inconsistent_tokens: 'A price is in force, but the parts of the tokens are more than the whole.',
}

type Advice = Omit<Unpriced, 'currency'>

function noRate({ timestamp }: CostFacts): Advice {
  const text = 'No exchange rate was observed in the 24 hours before this request.'
  return { reason: 'no_rate', text, command: `request-journal rates set USD_PER_BTC --at ${timestamp}` }
}

function noPrice(facts: CostFacts, book: PriceBook): Advice {
  const { provider, timestamp } = facts
  const models = modelsOf(facts)
  const tier = facts.service_tier == null || USUAL_TIERS.has(facts.service_tier) ? null : facts.service_tier
  const terms = [
    ...(provider === null ? [] : [`of provider ${provider}`]),
    ...(tier === null ? [] : [`at service tier ${tier}`]),
  ].join(' ')
  const text = models.some((model) => book.hasModel(model))
    ? `Prices of ${models.join(' or ')} are set, but none was in force for this request${terms && ` ${terms}`}.`
    : `Nobody has set a price of ${models.join(' or ')}.`
  const [model = ''] = models
  const names = [model, ...(provider === null ? [] : [provider]), ...(tier === null ? [] : [tier])]
  const command = [
    `request-journal prices set ${quoted(model)}`,
    ...(provider === null ? [] : [`--provider ${quoted(provider)}`]),
    ...(tier === null ? [] : [`--service-tier ${quoted(tier)}`]),
    `--valid-from ${timestamp.slice(0, 10)}T00:00:00Z --input PRICE --output PRICE`,
  ].join(' ')
  return { reason: 'no_price', text, command: names.every(canBePasted) ? command : null }
}

/** Whether a name may be pasted into a shell: control characters would do more than stand there. */
function canBePasted(name: string): boolean {
  return name !== '' && !name.startsWith('-') && !/\p{C}/u.test(name)
}

function quoted(name: string): string {
  return /^[\w.:@/+-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`
}
