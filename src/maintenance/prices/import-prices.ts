import type { PriceSet } from '../../events/event-types.js'
import type { PlacedPrice } from '../../folds/costs/price.js'
import { grouped } from '../../folds/grouped.js'
import { inForceAt, keyOf } from '../../queries/costs/price-history.js'
import { type UnpricedModel, unpriced } from '../../queries/costs/unpriced.js'
import type { StoredPrices } from '../../store/price-row.js'
import { InputError } from '../errors.js'
import type { JournalTables } from '../journal-tables.js'
import { readCsvPrices } from './csv-prices.js'
import { readGenaiPrices } from './genai-prices.js'
import { readLitellmPrices } from './litellm.js'
import { diffPrices, type PriceDiff } from './price-diff.js'
import { byStart, kindOf, type LeftOutModel, type Likeness, type PriceList } from './price-list.js'
import { readStoredPrices, type StoredPricesOptions } from './stored-prices.js'

/** Where prices come from: the installed package, or a file. */
export type PriceSource =
  | { from: 'genai-prices' }
  | { from: 'litellm'; file: string }
  | { from: 'csv'; file: string }

export interface PriceImportOptions extends StoredPricesOptions {
  source: PriceSource
  /**
   * When a price without a date of its own takes effect, as a canonical timestamp. Requests before
   * it keep their cost.
   *
   * @default now
   */
  validFrom?: string | undefined
  /**
   * Only these providers of the list, each with the name that requests have for it.
   *
   * @default all, under the names that the list has
   */
  providers?: Readonly<Record<string, string>> | undefined
  /** Only prices of models that requests name, and of those that have a price. @default false */
  used?: boolean | undefined
  /**
   * The models of the log that get the price of a model of the list: their names, each with its id
   * in the list.
   */
  aliases?: Readonly<Record<string, string>> | undefined
  /**
   * Proposals of an earlier plan that a person has confirmed. Each applies only to its provider.
   */
  confirmed?: readonly Pick<PriceProposal, 'provider' | 'name' | 'model'>[] | undefined
  /** Whether a public list replaces prices that were set in another way. @default false */
  overwrite?: boolean | undefined
  /** Whether models that a public list no longer has lose their price. @default false */
  withdrawGone?: boolean | undefined
}

/** A model without a price that may be one of the list: a person has to decide, by an alias. */
export interface PriceProposal extends Likeness {
  provider: string | null
  /** The name that requests have, and that an alias would give a price. */
  name: string
  requests: number
  /**
   * What the model of the list costs now, without conditions; null if its prices have conditions.
   */
  price: Pick<PriceSet, 'currency' | 'per_million' | 'per_request'> | null
}

/** What an import of prices would do. */
export interface PriceImport extends PriceDiff {
  /** What `source` will be in the events. */
  source: string
  valid_from: string
  /** Whether there is a database; without one every price is new. */
  has_database: boolean
  left_out: LeftOutModel[]
  proposals: PriceProposal[]
}

/**
 * Reads a list of prices and says what it would change. Nothing is written: append the events of
 * {@link priceEvents} to the journal for that.
 *
 * @throws InputError if the list can't be used; DatabaseError if the database can't be read.
 */
export async function planPriceImport(options: PriceImportOptions): Promise<PriceImport> {
  const now = new Date().toISOString()
  const { validFrom = now, overwrite = false, withdrawGone = false } = options
  const found = readStoredPrices(options, knownOf)
  const known = found ?? { stored: [], unpriced: [], used: new Set<string>() }
  const listed = ofProviders(await readList(options.source), options.providers)
  const list = withAliases(listed, known.stored, options)
  const wanted = { ...list, prices: options.used ? usedOnly(list, known) : list.prices }
  const providers = new Set(Object.values(options.providers ?? {}))
  const stored = known.stored.filter(
    ({ event }) => options.providers === undefined || providers.has(event.provider ?? ''),
  )
  return {
    source: list.source,
    valid_from: validFrom,
    has_database: found !== null,
    ...diffPrices(stored, wanted, { validFrom, now, overwrite, withdrawGone }),
    left_out: list.leftOut,
    proposals: proposalsOf(list, known.unpriced, now),
  }
}

interface Known {
  stored: PlacedPrice[]
  unpriced: UnpricedModel[]
  /** Provider and model of requests, as {@link nameOf} joins them. */
  used: ReadonlySet<string>
}

function knownOf(tables: JournalTables, { prices }: StoredPrices, journalId: string): Known {
  const { database } = tables
  const names = database.prepare<
    [],
    { provider: string | null; model: string; response_model: string | null }
  >(`SELECT DISTINCT provider, model, response_model FROM ${tables.from('requests')}`)
  const used = new Set<string>()
  for (const { provider, model, response_model } of names.iterate()) {
    used.add(nameOf(provider, model))
    if (response_model !== null) used.add(nameOf(provider, response_model))
  }
  const filter = tables.number === null ? {} : { journal: journalId }
  return { stored: prices, unpriced: tables.isKnown ? unpriced(database, filter).unpriced : [], used }
}

function nameOf(provider: string | null, model: string): string {
  return JSON.stringify([provider, model])
}

async function readList(source: PriceSource): Promise<PriceList> {
  switch (source.from) {
    case 'genai-prices':
      return await readGenaiPrices()
    case 'litellm':
      return readLitellmPrices(source.file)
    case 'csv':
      return await readCsvPrices(source.file)
    default:
      return source satisfies never
  }
}

/** Keeps only the providers that were asked for, under the names that requests have for them. */
function ofProviders(list: PriceList, providers: PriceImportOptions['providers']): PriceList {
  if (providers === undefined) return list
  const names = new Map<string | null, string>(Object.entries(providers))
  const there = new Set([...list.prices.map(({ event }) => event), ...list.leftOut].map((it) => it.provider))
  for (const name of names.keys()) {
    if (there.has(name)) continue
    throw new InputError('INVALID_VALUE', list.source, `the list has no provider '${name}'`)
  }
  return {
    ...list,
    prices: list.prices.flatMap((price) => {
      const provider = names.get(price.event.provider)
      return provider === undefined ? [] : [{ ...price, event: { ...price.event, provider } }]
    }),
    leftOut: list.leftOut.flatMap((model) => {
      const provider = names.get(model.provider)
      return provider === undefined ? [] : [{ ...model, provider }]
    }),
    likeness: (provider, name) => {
      const [listed] = [...names].findLast(([, ours]) => ours === provider) ?? []
      return listed === undefined ? null : list.likeness(listed, name)
    },
  }
}

/**
 * Adds the prices of aliases: of those that are given or confirmed, and of those of an earlier
 * import, which the sources of stored prices name.
 */
function withAliases(
  list: PriceList,
  stored: readonly PlacedPrice[],
  options: PriceImportOptions,
): PriceList {
  const byModel = grouped(list.prices, ({ event }) => event.model)
  const exact = new Set(list.prices.map(({ event }) => nameOf(event.provider, event.model)))
  const added = new Map<string, PriceList['prices'][number]>()
  const add = (name: string, id: string, provider?: string | null) => {
    for (const price of byModel.get(id) ?? []) {
      if (provider !== undefined && price.event.provider !== provider) continue
      if (exact.has(nameOf(price.event.provider, name))) continue
      const event = { ...price.event, model: name, source: `${list.source} as ${id}` }
      added.set(`${keyOf(event)} ${price.isDated ? event.valid_from : ''}`, { ...price, event })
    }
  }
  for (const { event } of stored) {
    const id =
      kindOf(event.source) === kindOf(list.source) ? / as (.+)$/.exec(event.source ?? '')?.[1] : undefined
    if (id !== undefined) add(event.model, id, event.provider)
  }
  for (const [name, id] of Object.entries(options.aliases ?? {})) {
    if (!byModel.has(id)) throw new InputError('INVALID_VALUE', list.source, `the list has no model '${id}'`)
    add(name, id)
  }
  for (const { provider, name, model } of options.confirmed ?? []) add(name, model, provider)
  return { ...list, prices: [...list.prices, ...added.values()] }
}

function usedOnly({ prices }: PriceList, { used, stored }: Known): PriceList['prices'] {
  const priced = new Set(stored.map(({ event }) => nameOf(event.provider, event.model)))
  return prices.filter(({ event: { provider, model } }) => {
    const name = nameOf(provider, model)
    return used.has(name) || priced.has(name)
  })
}

/** Proposes models of the list for those without a price, the most used first. */
function proposalsOf(list: PriceList, models: readonly UnpricedModel[], now: string): PriceProposal[] {
  const listed = new Set(list.prices.map(({ event }) => nameOf(event.provider, event.model)))
  const histories = grouped(list.prices.toSorted(byStart), ({ event }) => keyOf(event))
  const proposals = new Map<string, PriceProposal>()
  for (const { provider, model, response_model, requests } of models) {
    for (const name of response_model === null ? [model] : [response_model, model]) {
      if (listed.has(nameOf(provider, name)) || listed.has(nameOf(provider, model))) continue
      const found = list.likeness(provider, name)
      // A model of the list whose price can't be expressed can't give another one its price either.
      if (found === null || !listed.has(nameOf(provider, found.model))) continue
      const known = proposals.get(nameOf(provider, name))
      const key = keyOf({ provider, model: found.model, service_tier: null, min_input_tokens: null })
      proposals.set(nameOf(provider, name), {
        provider,
        name,
        ...found,
        requests: requests + (known?.requests ?? 0),
        price: figuresOf(inForceAt(histories.get(key) ?? [], now)),
      })
      break
    }
  }
  return [...proposals.values()].toSorted((a, b) => b.requests - a.requests)
}

function figuresOf(price: { event: PriceSet } | null): PriceProposal['price'] {
  if (price === null) return null
  const { currency, per_million, per_request } = price.event
  return { currency, per_million, per_request }
}
