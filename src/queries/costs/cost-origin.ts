import type { ExchangeRateObserved, PricePart, PriceSet } from '../../events/event-types.js'
import type { Place } from '../../events/place.js'
import { decimalText } from '../../folds/costs/decimal.js'
import { AFTER_ALL_TIMES, priceOf } from '../../folds/costs/price.js'
import { type PriceBook, USUAL_TIERS } from '../../folds/costs/price-book.js'
import { type CostFacts, type Currency, loggedFigures, rowCost } from '../../folds/costs/row-cost.js'
import { type PricedTokens, pricedTokens } from '../../folds/costs/usage-cost.js'
import { all } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { readBookOf, readPrices } from '../../store/sqlite/price-queries.js'
import { detailsOf, placeOrNull, type RequestColumns } from '../../store/sqlite/stored-row.js'
import { type JournalPlace, placedEvent } from '../rows/full-row.js'
import { modelsOf, type UnpricedReason, unpricedReason, usedCurrencies } from './unpriced-reason.js'

/** How the costs of a request came about, in addition to their source. */
export interface CostOrigin {
  /** The price that the costs were computed with; null if they weren't computed with one. */
  price: PriceOfRequest | null
  /**
   * The tokens times the price of each part that has tokens. The cost is their sum plus
   * `price.per_request`. Null if the costs weren't computed with a price.
   */
  cost_parts: CostPart[] | null
  /** The rate from `cost_currency` to the other currency; null if nothing was converted. */
  exchange_rate: RateOfRequest | null
  /** Why a cost is unknown; null if both are known, or the other currency isn't in use. */
  unpriced: Unpriced | null
}

/** The event that set a price, and its place. */
export interface PriceOfRequest extends Omit<PriceSet, 'type'>, JournalPlace {}

/** The event that recorded an exchange rate, and its place. */
export interface RateOfRequest extends Omit<ExchangeRateObserved, 'type'>, JournalPlace {}

/** Tokens with the same price. Prices and costs are decimal texts, which are exact. */
export interface CostPart {
  /** `input` or `output` also for the tokens of parts without a price of their own. */
  part: PricePart
  tokens: number
  per_million: string
  cost: string
}

export interface Unpriced {
  /** The currency in which the cost is unknown. */
  currency: Currency | 'both'
  reason: UnpricedReason
  /** The reason as a sentence, for people. */
  text: string
  /** The command that helps, with words in capitals to be replaced; null if no command helps. */
  command: string | null
}

type ExplainedRow = RequestColumns & { error_status: number | null }

/** Finds out how the costs of a stored row came about. */
export function costOrigin(database: QueryDatabase, row: ExplainedRow): CostOrigin {
  const details = detailsOf(row.details)
  const facts: CostFacts = { ...row, ...details, success: row.success !== 0 }
  const book = readBookOf(database, row, modelsOf(facts))
  const computed = rowCost(facts, loggedFigures(row), book)
  const isSame = computed.cost_sats === row.cost_sats && computed.cost_usd === row.cost_usd
  const isConverted = isSame && row.cost_currency !== null && row.cost_sats !== null && row.cost_usd !== null
  const rate = isConverted ? book.rateAt(facts.timestamp) : null
  return {
    ...computation(database, row.id, facts, placeOrNull(row.price_segment_id, row.price_byte_offset)),
    exchange_rate: rate === null ? null : placedEvent({ event: rate.event, ...rate.place }),
    unpriced: unpricedOf(database, row, facts, book, isSame),
  }
}

/** Reads the price at a place, and multiplies the usage by it. */
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
    ...dialect.isInJournal(dialect.journalNumberOf(id)),
    { sql: 'segment_id = ? AND byte_offset = ?', values: [segmentId, byteOffset] },
  ])
  const { prices } = readPrices(database, sql, ...values)
  const [stored] = prices
  if (stored === undefined) return none
  const priced = pricedTokens(priceOf(stored), facts)
  return { price: placedEvent(stored), cost_parts: typeof priced === 'string' ? null : priced.map(costPart) }
}

function costPart({ part, tokens, perToken }: PricedTokens): CostPart {
  const cost = decimalText(BigInt(tokens) * perToken, 12)
  return { part, tokens, per_million: decimalText(perToken, 6), cost }
}

function unpricedOf(
  database: QueryDatabase,
  { cost_sats, cost_usd, streaming, error_status }: ExplainedRow,
  facts: CostFacts,
  book: PriceBook,
  isSame: boolean,
): Unpriced | null {
  if (cost_sats !== null && cost_usd !== null) return null
  const hasNone = cost_sats === null && cost_usd === null
  const currency = hasNone ? 'both' : cost_sats === null ? 'sats' : 'usd'
  if (!isSame) {
    const text =
      'A price or an exchange rate was set after this request was logged; its cost will be computed soon.'
    return { currency, reason: 'to_be_repriced', text, command: null }
  }
  if (currency === 'both') return { currency, ...adviceFor(facts, book, { streaming, error_status }) }
  if (!usedCurrencies(database).includes(currency)) return null
  const text = 'No exchange rate was observed in the 24 hours before this request.'
  const command = `request-journal rates set USD_PER_BTC --at ${facts.timestamp}`
  return { currency, reason: 'no_rate', text, command }
}

type Advice = Omit<Unpriced, 'currency'>

function adviceFor(
  facts: CostFacts,
  book: PriceBook,
  { streaming, error_status }: Pick<ExplainedRow, 'streaming' | 'error_status'>,
): Advice {
  const isStream = streaming !== 0
  const reason = unpricedReason(facts, book)
  if (reason === 'no_price' || reason === 'price_not_in_force') return noPrice(facts, book, reason)
  if (reason === 'unknown_tokens') return { reason, text: unknownTokens(isStream), command: null }
  const text =
    reason === 'failed_without_usage'
      ? failedWithoutUsage(isStream && error_status === null)
      : "A price is in force, but the token counts can't be true: a part is larger than the whole, or the cost is too great for a number."
  return { reason, text, command: null }
}

/** @param mayBeAborted whether it is a stream that no error status explains. */
function failedWithoutUsage(mayBeAborted: boolean): string {
  const text = 'It failed and its tokens were not logged, so it counts as not billed'
  return mayBeAborted ? `${text}, but the provider may bill a part of an aborted stream.` : `${text}.`
}

function unknownTokens(isStream: boolean): string {
  const text = 'The number of its tokens is unknown, and prices are for tokens.'
  if (!isStream) return `${text} The program that logs it has to log input_tokens and output_tokens.`
  return `${text} A stream of chat completions reports it if the request has stream_options: { include_usage: true }, which loggedFetch adds with includeUsage: true, and the proxy with --include-usage.`
}

function noPrice(facts: CostFacts, book: PriceBook, reason: 'no_price' | 'price_not_in_force'): Advice {
  const { provider, timestamp } = facts
  const models = modelsOf(facts)
  // If there is a price that begins later, it probably should have begun earlier.
  const later = book.priceFor({ ...facts, timestamp: AFTER_ALL_TIMES })?.event ?? null
  if (later !== null) {
    const since = `${later.valid_from.slice(0, 19).replace('T', ' ')} UTC`
    const text = `The price of ${later.model} is in force from ${since} on, which is after this request.`
    return { reason, text, command: setCommand(later, timestamp) }
  }
  const tier = facts.service_tier == null || USUAL_TIERS.has(facts.service_tier) ? null : facts.service_tier
  const known = models.filter((model) => book.hasModel(model))
  const terms = [
    ...(provider === null ? [] : [`of provider ${provider}`]),
    ...(tier === null ? [] : [`at service tier ${tier}`]),
  ].join(' ')
  const text =
    known.length > 0
      ? `Prices of ${known.join(' and ')} are set, but none was in force for this request${terms && ` ${terms}`}.`
      : `No price is set for ${models.join(' or ')}.`
  const [model = ''] = [...known, ...models]
  return { reason, text, command: setCommand({ provider, model, service_tier: tier }, timestamp) }
}

/** Returns the command that sets a price from a timestamp's day on; null if it can't be pasted. */
function setCommand(
  price: Pick<PriceSet, 'provider' | 'model' | 'service_tier'> & Partial<PriceSet>,
  timestamp: string,
): string | null {
  const { provider, model, service_tier: tier, min_input_tokens: least = null, currency = 'usd' } = price
  const { per_million = { input: 'PRICE', output: 'PRICE' }, per_request = null } = price
  const parts = Object.entries(per_million ?? {}).map(
    ([part, text]) => `--${part.replaceAll('_', '-')} ${text}`,
  )
  const command = [
    `request-journal prices set ${quoted(model)}`,
    ...(provider === null ? [] : [`--provider ${quoted(provider)}`]),
    ...(tier === null ? [] : [`--service-tier ${quoted(tier)}`]),
    ...(least === null ? [] : [`--min-input-tokens ${least}`]),
    ...(currency === 'usd' ? [] : [`--currency ${currency}`]),
    `--valid-from ${timestamp.slice(0, 10)}T00:00:00Z`,
    ...parts,
    ...(per_request === null ? [] : [`--per-request ${per_request}`]),
  ].join(' ')
  const names = [model, ...(provider === null ? [] : [provider]), ...(tier === null ? [] : [tier])]
  return names.every(canBePasted) ? command : null
}

/** Whether a name may be pasted into a shell: one with control characters could run something. */
function canBePasted(name: string): boolean {
  return name !== '' && !name.startsWith('-') && !/\p{C}/u.test(name)
}

function quoted(name: string): string {
  return /^[\w.:@/+-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`
}
