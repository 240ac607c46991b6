import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { PerMillion, PricePart, PriceSet } from '../../events/event-types.js'
import { failedImport } from '../errors.js'
import { decimalOf, type ListedPrice, listedPrice, type PriceList } from './price-list.js'

// The data of @pydantic/genai-prices, as its types and README describe it.

interface Match {
  equals?: string
  starts_with?: string
  ends_with?: string
  contains?: string
  regex?: string
  or?: Match[]
  and?: Match[]
}

/**
 * A price, or one with tiers, where `price` applies to all tokens of a request with more than
 * `start` input tokens.
 */
type GenaiPrice = number | { base: number; tiers: { start: number; price: number }[] }
type GenaiPrices = Record<string, GenaiPrice | undefined>

interface GenaiModel {
  id: string
  match: Match
  /** In a list, the last entry whose constraint is met is in force. */
  prices: GenaiPrices | { constraint?: { type: string; start_date?: string }; prices: GenaiPrices }[]
}

export interface GenaiProvider {
  id: string
  models: GenaiModel[]
}

const PACKAGE = '@pydantic/genai-prices'

const PARTS: Readonly<Record<string, PricePart>> = {
  input_mtok: 'input',
  cache_read_mtok: 'cache_read_input',
  cache_write_mtok: 'cache_creation_input',
  cache_write_1h_mtok: 'cache_creation_1h_input',
  input_audio_mtok: 'audio_input',
  input_image_mtok: 'image_input',
  output_mtok: 'output',
  output_reasoning_mtok: 'reasoning_output',
  output_audio_mtok: 'audio_output',
}

/**
 * Prices of cached tokens of one kind. An event has one price for all kinds of cached tokens, so it
 * can't express these, unless they are the same as the price of all cached tokens.
 */
const CACHED_KINDS: Readonly<Record<string, string>> = {
  cache_audio_read_mtok: 'audio',
  cache_image_read_mtok: 'images',
}

/** Fees for the use of a provider's tools: they don't change the price of tokens. */
const TOOL_FEES = /^(web|social|storage)_searches_kcount$|^code_executions_kcount$/

/**
 * Reads the prices that the installed package @pydantic/genai-prices contains.
 *
 * @throws InputError PACKAGE_MISSING
 */
export async function readGenaiPrices(): Promise<PriceList> {
  const { waitForUpdate } = await loadPackage()
  // Nothing has set other data, so this is the data of the package.
  const providers = (await waitForUpdate()) ?? []
  return genaiPriceList(providers as GenaiProvider[], installedVersion())
}

async function loadPackage() {
  try {
    return await import('@pydantic/genai-prices')
  } catch (error) {
    throw failedImport(error, PACKAGE, 'its price list')
  }
}

function installedVersion(): string {
  const main = createRequire(import.meta.url).resolve(PACKAGE)
  const text = readFileSync(join(dirname(main), '../package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** Makes a list of the package's data. */
export function genaiPriceList(providers: readonly GenaiProvider[], version: string): PriceList {
  const source = `genai-prices ${version}`
  const prices: ListedPrice[] = []
  const leftOut: PriceList['leftOut'] = []
  for (const { id: provider, models } of providers) {
    for (const [id, model] of exactIds(models)) {
      const found = pricesOf(provider, id, model, source)
      if (typeof found !== 'string') prices.push(...found)
      else leftOut.push({ provider, model: id, line: null, reason: found })
    }
  }
  const likeness: PriceList['likeness'] = (provider, name) => {
    for (const { id, match } of providers.find((known) => known.id === provider)?.models ?? []) {
      const rule = ruleFor(match, name)
      if (rule !== null) return { model: id, rule }
    }
    return null
  }
  return { source, isPublic: true, prices, leftOut, likeness }
}

/**
 * The exact names of a provider's models: their ids, and the other names that their rules spell
 * out. A name that a rule of an earlier model matches belongs to that model, as in the package.
 */
function exactIds(models: readonly GenaiModel[]): Map<string, GenaiModel> {
  const ids = new Map<string, GenaiModel>()
  for (const model of models) {
    for (const id of [model.id, ...writtenOut(model.match)]) {
      if (models.find(({ match }) => ruleFor(match, id) !== null) === model) ids.set(id, model)
    }
  }
  return ids
}

function writtenOut({ equals, or = [] }: Match): string[] {
  return equals === undefined ? or.flatMap(writtenOut) : [equals]
}

/** How a rule compares a part with a name, in words; both are in lower case. */
const RULES = [
  ['equals', 'is', (name: string, part: string) => name === part],
  ['starts_with', 'begins with', (name: string, part: string) => name.startsWith(part)],
  ['ends_with', 'ends with', (name: string, part: string) => name.endsWith(part)],
  ['contains', 'contains', (name: string, part: string) => name.includes(part)],
] as const

/** The rule by which a name matches, in words; null if it doesn't match. Case is ignored. */
function ruleFor(match: Match, name: string): string | null {
  for (const [kind, words, holds] of RULES) {
    const part = match[kind]
    if (part === undefined) continue
    return holds(name.toLowerCase(), part.toLowerCase()) ? `${words} '${part}'` : null
  }
  const { regex, or = [], and } = match
  if (regex !== undefined) return new RegExp(regex).test(name) ? `matches '${regex}'` : null
  if (and === undefined) return or.map((other) => ruleFor(other, name)).find((rule) => rule !== null) ?? null
  const rules = and.map((other) => ruleFor(other, name))
  return rules.includes(null) ? null : rules.join(' and ')
}

/** The prices of a model, or the reason why events can't express them exactly. */
function pricesOf(
  provider: string,
  id: string,
  { prices }: GenaiModel,
  source: string,
): ListedPrice[] | string {
  const entries = Array.isArray(prices) ? prices : [{ prices }]
  const kinds = new Set(entries.flatMap(({ constraint }) => constraint?.type ?? []))
  if (kinds.has('time_of_date')) return 'its price depends on the time of day'
  kinds.delete('start_date')
  if (kinds.size > 0) return `its price depends on ${[...kinds].join(', ')}`
  const listed: ListedPrice[] = []
  const known = new Set<number | null>()
  const dates = new Set(entries.flatMap(({ constraint }) => constraint?.start_date ?? []))
  for (const date of [null, ...[...dates].sort()]) {
    const inForce = entries.findLast(({ constraint }) => (constraint?.start_date ?? '') <= (date ?? ''))
    const inUse = (inForce ?? entries[0])?.prices ?? {}
    const tiers = tiersOf(inUse) ?? cachedKindsApart(provider, id, inUse)
    if (typeof tiers === 'string') return tiers
    // A tier of an earlier date ends here.
    for (const minInputTokens of known) if (!tiers.has(minInputTokens)) tiers.set(minInputTokens, NO_PRICE)
    const validFrom = date === null ? null : `${date}T00:00:00Z`
    for (const [minInputTokens, tier] of tiers) {
      known.add(minInputTokens)
      const terms = { provider, model: id, currency: 'usd', ...tier, service_tier: null, source } as const
      try {
        const price = { ...terms, valid_from: validFrom, min_input_tokens: minInputTokens }
        listed.push(listedPrice(price, null))
      } catch (error) {
        return `it has a price that can't be written exactly (${(error as Error).message})`
      }
    }
  }
  return listed
}

type TierTerms = Pick<PriceSet, 'per_million' | 'per_request'>

const NO_PRICE: TierTerms = { per_million: null, per_request: null }

/**
 * The prices by the number of input tokens from which they apply, or the reason why they can't be
 * used; null if the only reason is prices of cached tokens of one kind.
 */
function tiersOf(prices: GenaiPrices): Map<number | null, TierTerms> | string | null {
  const given = Object.entries(prices).flatMap(([key, price]) =>
    price === undefined || TOOL_FEES.test(key) || isPriceOfAllCached(prices, key)
      ? []
      : [[key, price] as const],
  )
  const unsupported = given.map(([key]) => key).filter((key) => !(key in PARTS) && key !== 'requests_kcount')
  if (unsupported.length > 0 && unsupported.every((key) => key in CACHED_KINDS)) return null
  if (unsupported.length > 0)
    return `it is priced by ${unsupported.join(', ')}, which a price_set has no member for`
  if (given.length === 0) return 'it has no price of tokens or requests'
  const starts = given.flatMap(([, price]) =>
    typeof price === 'number' ? [] : price.tiers.map(({ start }) => start),
  )
  const tiers = new Map<number | null, TierTerms>()
  for (const start of [null, ...[...new Set(starts)].sort((a, b) => a - b)]) {
    const perMillion: PerMillion = {}
    let perRequest: string | null = null
    for (const [key, price] of given) {
      const part = PARTS[key]
      const number = priceFrom(price, start)
      if (part === undefined) perRequest = decimalOf(number, -3)
      else perMillion[part] = decimalOf(number)
    }
    const hasParts = Object.keys(perMillion).length > 0
    // A tier applies from one token more than `start`.
    const minInputTokens = start === null ? null : start + 1
    tiers.set(minInputTokens, { per_million: hasParts ? perMillion : null, per_request: perRequest })
  }
  return tiers
}

function priceFrom(price: GenaiPrice, start: number | null): number {
  if (typeof price === 'number') return price
  const reached = price.tiers.filter((tier) => start !== null && tier.start <= start)
  return reached.toSorted((a, b) => a.start - b.start).at(-1)?.price ?? price.base
}

/**
 * Whether a key is the price of cached tokens of one kind, and equal to the price of all cached
 * tokens.
 */
function isPriceOfAllCached(prices: GenaiPrices, key: string): boolean {
  return key in CACHED_KINDS && JSON.stringify(prices[key]) === JSON.stringify(prices['cache_read_mtok'])
}

/**
 * Says why a model with a price of its own for cached tokens of one kind is left out: with the other
 * prices alone, a request with such tokens would be priced wrongly.
 */
function cachedKindsApart(provider: string, id: string, prices: GenaiPrices): string {
  const kinds = Object.keys(CACHED_KINDS).filter(
    (key) => prices[key] !== undefined && !isPriceOfAllCached(prices, key),
  )
  const names = kinds.map((key) => CACHED_KINDS[key]).join(' and ')
  const options = Object.entries(PARTS).flatMap(([key, part]) => {
    const price = prices[key]
    return typeof price === 'number' ? [`--${part.replaceAll('_', '-')} ${decimalOf(price)}`] : []
  })
  const command = `prices set '${id}' --provider ${provider} ${options.join(' ')}`
  return `the price of cached ${names} isn't that of other cached tokens, and a price_set has one for both; if no request has cached ${names}, this is exact: ${command}`
}
