import { readFileSync } from 'node:fs'
import type { PerMillion, PricePart } from '../../events/event-types.js'
import { InputError } from '../errors.js'
import { unreadableFile } from '../file-bytes.js'
import {
  decimalOf,
  invalidValue,
  type Likeness,
  type ListedPrice,
  listedPrice,
  type PriceList,
} from './price-list.js'

/**
 * The members of a model in LiteLLM's file that are prices of one token, and the parts that they
 * are for.
 */
const PARTS: Readonly<Record<string, PricePart>> = {
  input_cost_per_token: 'input',
  cache_read_input_token_cost: 'cache_read_input',
  cache_creation_input_token_cost: 'cache_creation_input',
  cache_creation_input_token_cost_above_1hr: 'cache_creation_1h_input',
  input_cost_per_audio_token: 'audio_input',
  input_cost_per_image_token: 'image_input',
  output_cost_per_token: 'output',
  output_cost_per_reasoning_token: 'reasoning_output',
  output_cost_per_audio_token: 'audio_output',
}

/** The service tier of members that end with `_batches`; others end with the name of theirs. */
const BATCH = 'batch'

const TOKEN_MODES = ['chat', 'completion', 'responses', 'embedding', 'realtime']

/** Fees for the use of a provider's tools: they don't change the price of tokens. */
const TOOL_FEES = /^(search_context|file_search|code_interpreter|computer_use|vector_store)_/

/** An entry that explains the others. */
const EXPLANATION = 'sample_spec'

/** The most decimals that a price of a million tokens has. */
const MAX_DECIMALS = 6

/** A model of the file. */
interface Entry {
  path: string
  line: number | null
  provider: string
  id: string
  model: Record<string, unknown>
}

/**
 * Reads the prices of LiteLLM's model_prices_and_context_window.json. A model whose name begins
 * with its provider, such as `azure/gpt-4o`, is listed with and without it, since gateways log
 * either.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_VALUE: nothing of the file is used then.
 */
export function readLitellmPrices(path: string): PriceList {
  const text = readText(path)
  const lines = linesOfKeys(text)
  const prices: ListedPrice[] = []
  const leftOut: PriceList['leftOut'] = []
  for (const [id, model] of Object.entries(parsed(path, text))) {
    if (id === EXPLANATION) continue
    const line = lines.get(id) ?? null
    if (!isObject(model)) throw wrong({ path, line }, `'${id}' isn't an object with prices`)
    const provider = model['litellm_provider']
    if (typeof provider !== 'string') throw wrong({ path, line }, `'${id}' has no litellm_provider`)
    const found = pricesOf({ path, line, provider, id, model })
    for (const name of namesOf(id, provider)) {
      if (typeof found === 'string') leftOut.push({ provider, model: name, line, reason: found })
      else prices.push(...found.map((price) => ({ ...price, event: { ...price.event, model: name } })))
    }
  }
  const likeness: PriceList['likeness'] = (provider, name) =>
    likenessOf(new Set(prices.flatMap(({ event }) => (event.provider === provider ? event.model : []))), name)
  return { source: 'litellm', isPublic: true, prices, leftOut, likeness }
}

function readText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
  } catch (error) {
    throw unreadableFile(path, error)
  }
}

function parsed(path: string, text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new InputError('INVALID_VALUE', path, `isn't JSON: ${(error as Error).message}`, { cause: error })
  }
  if (isObject(value)) return value
  throw wrong({ path, line: null }, "isn't an object of models, as model_prices_and_context_window.json is")
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong({ path, line }: Pick<Entry, 'path' | 'line'>, found: string): InputError {
  return new InputError('INVALID_VALUE', path, found, { line })
}

/** The line of each key that begins an object, for errors, since JSON.parse doesn't report it. */
function linesOfKeys(text: string): Map<string, number> {
  const lines = new Map<string, number>()
  for (const [index, line] of text.split('\n').entries()) {
    const key = /^\s*\{?\s*("(?:[^"\\]|\\.)*")\s*:\s*\{/.exec(line)?.[1]
    if (key === undefined) continue
    const name = JSON.parse(key) as string
    if (!lines.has(name)) lines.set(name, index + 1)
  }
  return lines
}

function namesOf(id: string, provider: string): string[] {
  const prefix = `${provider}/`
  return id.startsWith(prefix) && id.length > prefix.length ? [id, id.slice(prefix.length)] : [id]
}

/** Finds the longest of these names that a name begins with, if a date or a version follows. */
function likenessOf(names: ReadonlySet<string>, name: string): Likeness | null {
  const text = name.toLowerCase()
  const like = [...names].filter((other) => {
    const beginning = other.toLowerCase()
    return text === beginning || (text.startsWith(beginning) && /^[-@:]/.test(text.slice(beginning.length)))
  })
  const [longest] = like.toSorted((a, b) => b.length - a.length)
  return longest === undefined ? null : { model: longest, rule: `begins with '${longest}'` }
}

/** The prices of a model, or the reason why events can't express them exactly. */
function pricesOf(entry: Entry): ListedPrice[] | string {
  const { path, line, provider, id } = entry
  const { mode } = entry.model
  if (mode !== undefined && !TOKEN_MODES.includes(String(mode))) {
    return `its mode is ${mode}, which isn't priced by tokens alone`
  }
  const tokenPrices = tokenPricesOf(entry)
  if (typeof tokenPrices === 'string') return tokenPrices
  if (tokenPrices.length === 0) return 'it has no price of a token'
  const tiers = new Set([null, ...tokenPrices.map(({ serviceTier }) => serviceTier)])
  return [...tiers].flatMap((service_tier) => {
    const starts = tokenPrices.filter(({ serviceTier }) => serviceTier === service_tier)
    return [...new Set([null, ...starts.map(({ above }) => above)])].map((above) => {
      const per_million = perMillion(tokenPrices, service_tier, above)
      // "Above 200k" applies from one token more.
      const conditions = {
        valid_from: null,
        service_tier,
        min_input_tokens: above === null ? null : above + 1,
      }
      const terms = { provider, model: id, currency: 'usd', per_million, per_request: null } as const
      try {
        return listedPrice({ ...terms, ...conditions, source: 'litellm' }, line)
      } catch (error) {
        throw invalidValue(error, path, line)
      }
    })
  })
}

interface TokenPrice {
  part: PricePart
  serviceTier: string | null
  /** The number of input tokens that a request must exceed; null: any number. */
  above: number | null
  perMillion: string
}

/** All prices of a token that a model has, or the reason why they can't be used. */
function tokenPricesOf(entry: Entry): TokenPrice[] | string {
  const prices: TokenPrice[] = []
  for (const [member, value] of Object.entries(entry.model)) {
    if (!/cost|price|pricing/.test(member) || TOOL_FEES.test(member) || value === null) continue
    const [, tokenMember = '', thousands, tier] =
      /^(.*?)(?:_above_(\d+)k_tokens)?(?:_(flex|priority|batches))?$/.exec(member) ?? []
    const part = PARTS[tokenMember]
    if (typeof value !== 'number' || part === undefined) {
      if (value === 0) continue
      if (part !== undefined) throw wrong(entry, `'${entry.id}': ${member} isn't a number`)
      return `it is priced by ${member}, which a price_set has no member for`
    }
    if (value < 0) throw wrong(entry, `'${entry.id}': ${member} is ${value}, which is negative`)
    const text = decimalOf(value, 6)
    if ((text.split('.')[1] ?? '').length > MAX_DECIMALS) {
      return `${member} is ${value}: a million tokens would cost ${text}, with more than ${MAX_DECIMALS} decimals`
    }
    const serviceTier = tier === 'batches' ? BATCH : (tier ?? null)
    const above = thousands === undefined ? null : Number(thousands) * 1000
    prices.push({ part, serviceTier, above, perMillion: text })
  }
  return prices
}

/**
 * The prices of one service tier from a number of tokens on. As in LiteLLM, if a price isn't given
 * there, the price for fewer tokens applies, and then that of the standard tier; a batch has only
 * its own prices.
 */
function perMillion(
  prices: readonly TokenPrice[],
  serviceTier: string | null,
  above: number | null,
): PerMillion | null {
  const found: PerMillion = {}
  const serviceTiers = serviceTier === BATCH ? [BATCH] : [serviceTier, null]
  const applying = prices
    .filter((price) => (price.above ?? 0) <= (above ?? 0))
    .toSorted((a, b) => (b.above ?? 0) - (a.above ?? 0))
  for (const part of Object.values(PARTS)) {
    const ranked = serviceTiers.map((tier) =>
      applying.find((price) => price.part === part && price.serviceTier === tier),
    )
    const best = ranked.find((price) => price !== undefined)
    if (best !== undefined) found[part] = best.perMillion
  }
  return Object.keys(found).length === 0 ? null : found
}
