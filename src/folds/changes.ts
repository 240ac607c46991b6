// What the fold of a batch is given (`Known`, found by `Keys`), and what it returns (`Changes`).
import type { Place, PlacedCompletion, RejectedLine } from '../events/place.js'
import type { PlacedPrice, PlacedRate, TimeRange } from './costs/price.js'
import type { PriceBook } from './costs/price-book.js'
import type { RepricedRequest } from './costs/repricing.js'
import type { NewRequest, StoredRequest } from './stored-request.js'

/** The keys by which a store finds what the fold of a batch must know. */
export interface Keys {
  /** The correlation_id of each request of the batch, for which completions may be held. */
  requests: readonly string[]
  /** The requests that completions of the batch look for, by correlation_id. */
  completions: ReadonlyMap<string, CompletionKey>
}

export interface CompletionKey {
  /** How many completions of the batch have this correlation_id. */
  count: number
  /** The attempts that they name, including null if one of them names none. */
  attempts: ReadonlySet<number | null>
}

/** The part of the store that the fold of a batch depends on. */
export interface Known {
  /** The id of the next new request; others follow. */
  nextId: number
  /** Ids that new requests skip, because rows have them already. */
  takenIds: ReadonlySet<number>
  /**
   * Whether rows can't be looked up now. The store then keeps all completions, and gives them back
   * at the end.
   */
  isDeferring: boolean
  /**
   * The stored requests that completions of the batch may change, by correlation_id, the newest
   * first. For each correlation_id these are the newest request, the newest request of each attempt
   * that a completion names and, if a completion names none, one more open stream than there are
   * completions. The additional one shows whether the last completion was ambiguous. Each
   * correlation_id of `Keys.completions` has an entry, which is an empty list if no row has that
   * id: from the entries the fold knows which requests have a completion in the batch. The map is
   * empty if `isDeferring`.
   */
  requests: ReadonlyMap<string, readonly KnownRequest[]>
  /**
   * The first request that came after a deferred completion, by correlation_id. Had the completion
   * not been deferred, it would have been held for that request.
   */
  later: ReadonlyMap<string, StoredRequest>
  /**
   * The completions that are held for requests of the batch, by correlation_id, in the order of the
   * journal.
   */
  held: ReadonlyMap<string, readonly PlacedCompletion[]>
  /** The prices and exchange rates that are stored. */
  book: PriceBook
}

export interface KnownRequest {
  request: StoredRequest
  /** How many rows of the same correlation_id are newer. */
  newer: number
}

/** The changes that a batch makes. A store applies them in this order. */
export interface Changes {
  prices: PlacedPrice[]
  rates: PlacedRate[]
  /** The book that includes these prices and rates; null if there are none. */
  book: PriceBook | null
  /**
   * The timestamps of the stored requests whose cost may change because of new prices and rates;
   * null if there are none. The costs of the batch's own requests are already computed with its
   * prices.
   */
  toReprice: TimeRange | null
  rejected: RejectedLine[]
  inserted: NewRequest[]
  completed: CompletedRequest[]
  /** Completions whose request hasn't come yet. */
  held: PlacedCompletion[]
  /** The places of completions that were held until now. */
  released: Place[]
  /** Completions that wait until the store can look up their request. */
  deferred: DeferredCompletion[]
  /** Stored requests whose cost was computed again. */
  repriced: RepricedRequest[]
}

/** A request that a completion changes. */
export interface CompletedRequest {
  before: StoredRequest
  after: StoredRequest
  by: PlacedCompletion
  /** Whether the completion named no attempt, and other rows were open too. */
  isAmbiguous: boolean
}

export interface DeferredCompletion extends PlacedCompletion {
  /** The rows that existed when the completion came have lower ids than this. */
  beforeId: number
}

export function emptyChanges(): Changes {
  return {
    prices: [],
    rates: [],
    book: null,
    toReprice: null,
    rejected: [],
    inserted: [],
    completed: [],
    held: [],
    released: [],
    deferred: [],
    repriced: [],
  }
}
