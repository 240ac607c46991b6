import type { RequestLogged, StreamCompleted } from '../events/event-types.js'
import { type BatchItem, comparePlaces, type PlacedCompletion, type PlacedEvent } from '../events/place.js'
import {
  type Changes,
  type CompletionKey,
  emptyChanges,
  type Keys,
  type Known,
  type KnownRequest,
} from './changes.js'
import { completedRequest, requestOf } from './completions.js'
import type { PlacedPrice, PlacedRate } from './costs/price.js'
import { rangeToReprice } from './costs/repricing.js'
import { rowCost } from './costs/row-cost.js'
import type { NewRequest, StoredRequest } from './stored-request.js'

/** Returns the keys of what `fold` must know to fold these items. */
export function keysOf(items: readonly BatchItem[]): Keys {
  const requests: string[] = []
  const completions = new Map<string, CompletionKey & { attempts: Set<number | null> }>()
  for (const { event } of items) {
    if (event === null) continue
    switch (event.type) {
      case 'request_logged':
        requests.push(event.correlation_id)
        break
      case 'stream_completed': {
        const key = completions.get(event.correlation_id) ?? { count: 0, attempts: new Set() }
        key.count++
        key.attempts.add(event.attempt ?? null)
        completions.set(event.correlation_id, key)
        break
      }
      case 'price_set':
      case 'exchange_rate_observed':
        break
      default:
        event satisfies never
    }
  }
  return { requests, completions }
}

/**
 * Folds a batch: each request becomes a row; each completion changes one row or is held until its
 * request comes. Prices and rates are taken first, wherever they are in the batch, since costs
 * don't depend on the order of events. It is pure: the result depends only on the arguments, and
 * neither is changed.
 *
 * @param items events and rejected lines in the order of the journal.
 */
export function fold(known: Known, items: readonly BatchItem[]): Changes {
  const { prices, rates } = priceEvents(items)
  if (prices.length === 0 && rates.length === 0) return foldRequests(known, items)
  // In a replay, the book has the prices of the journal from the start.
  const newPrices = prices.filter((price) => !known.book.hasPrice(price))
  const newRates = rates.filter((rate) => !known.book.hasRate(rate))
  const book = known.book.with(newPrices, newRates)
  const toReprice = rangeToReprice(book, newPrices, newRates)
  return { ...foldRequests({ ...known, book }, items), prices, rates, book, toReprice }
}

function foldRequests(known: Known, items: readonly BatchItem[]): Changes {
  const requests = new RequestsFold(known, (correlationId) => known.requests.has(correlationId))
  for (const item of items) {
    if (item.event === null) requests.changes.rejected.push(item)
    else requests.apply(item)
  }
  return requests.finish()
}

function priceEvents(items: readonly BatchItem[]): { prices: PlacedPrice[]; rates: PlacedRate[] } {
  const prices: PlacedPrice[] = []
  const rates: PlacedRate[] = []
  for (const { event, segmentId, byteOffset } of items) {
    if (event?.type === 'price_set') prices.push({ event, segmentId, byteOffset })
    else if (event?.type === 'exchange_rate_observed') rates.push({ event, segmentId, byteOffset })
  }
  return { prices, rates }
}

/**
 * Folds completions that were deferred, each with a correlation_id of its own, once their requests
 * can be looked up.
 */
export function foldDeferred(known: Known, completions: readonly PlacedCompletion[]): Changes {
  const requests = new RequestsFold(known, () => false)
  for (const completion of completions) requests.complete(completion)
  return requests.finish()
}

/** The fold of `requests` over one batch. */
class RequestsFold {
  readonly changes: Changes = emptyChanges()
  readonly #known: Known
  readonly #hasCompletion: (correlationId: string) => boolean
  #nextId: number
  /**
   * The batch's own requests that its completions may change, by correlation_id, the oldest first.
   */
  readonly #own = new Map<string, StoredRequest[]>()
  /** Stored requests that the batch has changed, by id. */
  readonly #changed = new Map<number, StoredRequest>()
  /**
   * The completions that wait for a request, by correlation_id and by the attempt that they name.
   * Those that the store holds are copied here when they are first needed.
   */
  readonly #held = new Map<string, Map<number | null, HeldCompletion[]>>()

  /** @param hasCompletion returns whether a completion of the batch has this correlation_id. */
  constructor(known: Known, hasCompletion: (correlationId: string) => boolean) {
    this.#known = known
    this.#hasCompletion = hasCompletion
    this.#nextId = freeId(known.nextId, known.takenIds)
  }

  apply({ event, segmentId, byteOffset }: PlacedEvent): void {
    switch (event.type) {
      case 'request_logged':
        this.#insert(event, segmentId, byteOffset)
        break
      case 'stream_completed':
        this.#completeOrDefer(event, segmentId, byteOffset)
        break
      case 'price_set':
      case 'exchange_rate_observed':
        break
      default:
        event satisfies never
    }
  }

  complete(completion: PlacedCompletion): void {
    const { correlation_id, attempt = null } = completion.completion
    const found = requestOf(attempt, this.#candidates(correlation_id))
    if (found !== null) {
      this.#change(found.request, completion, found.isAmbiguous)
      return
    }
    const later = this.#known.later.get(correlation_id)
    if (later !== undefined) this.#change(later, completion, false)
    else append(this.#heldFor(correlation_id), attempt, { ...completion, isStored: false })
  }

  finish(): Changes {
    for (const { isStored, ...completion } of [...this.#held.values()].flatMap(allOf)) {
      if (!isStored) this.changes.held.push(completion)
    }
    return this.changes
  }

  #insert(event: RequestLogged, segmentId: number, byteOffset: number): void {
    const cost = rowCost(event, { sats: event.cost_sats, usd: event.cost_usd ?? null }, this.#known.book)
    const inserted: NewRequest = { id: this.#nextId, event, cost, segmentId, byteOffset }
    this.changes.inserted.push(inserted)
    this.#nextId = freeId(this.#nextId + 1, this.#known.takenIds)
    const { correlation_id } = event
    const hasCompletion = this.#hasCompletion(correlation_id)
    const hasHeld = this.#held.has(correlation_id) || this.#known.held.has(correlation_id)
    // Most requests have neither, and their row needn't be looked at again.
    if (!hasCompletion && !hasHeld) return
    const request = storedRequest(inserted)
    if (hasCompletion) append(this.#own, correlation_id, request)
    if (hasHeld) this.#applyHeld(correlation_id, request)
  }

  /** Applies the completions that were held for a request: those that name its attempt, or none. */
  #applyHeld(correlationId: string, inserted: StoredRequest): void {
    const { attempt } = inserted
    const held = this.#heldFor(correlationId)
    // Completions in late lines may have been held in another order.
    const waiting = [...new Set([null, attempt])]
      .flatMap((named) => held.get(named) ?? [])
      .sort((a, b) => comparePlaces(a.place, b.place))
    held.delete(null)
    held.delete(attempt)
    let request = inserted
    for (const { isStored, ...completion } of waiting) {
      if (isStored) this.changes.released.push(completion.place)
      request = this.#change(request, completion, false)
    }
  }

  #completeOrDefer(event: StreamCompleted, segmentId: number, byteOffset: number): void {
    const completion = { completion: event, place: { segmentId, byteOffset } }
    if (this.#known.isDeferring) this.changes.deferred.push({ ...completion, beforeId: this.#nextId })
    else this.complete(completion)
  }

  #change(before: StoredRequest, by: PlacedCompletion, isAmbiguous: boolean): StoredRequest {
    const after = completedRequest(before, by, this.#known.book)
    this.changes.completed.push({ before, after, by, isAmbiguous })
    this.#changed.set(before.id, after)
    return after
  }

  /** Yields the requests of a correlation_id as the batch has changed them, the newest first. */
  *#candidates(correlationId: string): Generator<KnownRequest> {
    const own = this.#own.get(correlationId) ?? []
    const stored = this.#known.requests.get(correlationId) ?? []
    for (let newer = 0; newer < own.length; newer++) {
      const request = own[own.length - 1 - newer]
      if (request !== undefined) yield { request: this.#asChanged(request), newer }
    }
    for (const { request, newer } of stored)
      yield { request: this.#asChanged(request), newer: own.length + newer }
  }

  /** Returns a request as the batch has changed it. */
  #asChanged(request: StoredRequest): StoredRequest {
    return this.#changed.get(request.id) ?? request
  }

  #heldFor(correlationId: string): Map<number | null, HeldCompletion[]> {
    let held = this.#held.get(correlationId)
    if (held === undefined) {
      held = new Map()
      for (const completion of this.#known.held.get(correlationId) ?? []) {
        append(held, completion.completion.attempt ?? null, { ...completion, isStored: true })
      }
      this.#held.set(correlationId, held)
    }
    return held
  }
}

type HeldCompletion = PlacedCompletion & { isStored: boolean }

function allOf(held: ReadonlyMap<unknown, HeldCompletion[]>): HeldCompletion[] {
  return [...held.values()].flat()
}

/** The row of a new request, as a completion finds it. */
function storedRequest({ id, event, cost, segmentId, byteOffset }: NewRequest): StoredRequest {
  // The members are named one by one, because an object made by a rest pattern takes three times
  // the memory, and so does its copy.
  return {
    id,
    attempt: event.attempt ?? null,
    timestamp: event.timestamp,
    model: event.model,
    provider: event.provider,
    policy: event.policy,
    streaming: event.streaming,
    success: event.success,
    input_tokens: event.input_tokens,
    output_tokens: event.output_tokens,
    response_model: event.response_model ?? null,
    service_tier: event.service_tier ?? null,
    cache_read_input_tokens: event.cache_read_input_tokens ?? null,
    cache_creation_input_tokens: event.cache_creation_input_tokens ?? null,
    cache_creation_1h_input_tokens: event.cache_creation_1h_input_tokens ?? null,
    audio_input_tokens: event.audio_input_tokens ?? null,
    image_input_tokens: event.image_input_tokens ?? null,
    reasoning_output_tokens: event.reasoning_output_tokens ?? null,
    audio_output_tokens: event.audio_output_tokens ?? null,
    cost_sats: cost.cost_sats,
    cost_usd: cost.cost_usd,
    provider_cost_sats: event.provider_cost_sats,
    provider_cost_usd: event.provider_cost_usd ?? null,
    cost_source: cost.cost_source,
    cost_currency: cost.cost_currency,
    price: cost.price,
    latency_ms: event.latency_ms,
    stream_duration_ms: null,
    isCompleted: false,
    labels: event.labels ?? NO_LABELS,
    place: { segmentId, byteOffset },
    isInSums: true,
    completedBy: null,
  }
}

const NO_LABELS = Object.freeze({})

function freeId(id: number, taken: ReadonlySet<number>): number {
  let free = id
  while (taken.has(free)) free++
  return free
}

function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
