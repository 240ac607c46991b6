/** How an attempt ended, as `request_logged` and `stream_completed` both report it. */
interface Outcome {
  /**
   * All tokens that went in, cached ones included. Null: unknown, which is never the same as 0.
   *
   * @default null in a `RequestLog`
   */
  input_tokens: number | null
  /**
   * All tokens that came out, reasoning included. Null: unknown, which is never the same as 0.
   *
   * @default null in a `RequestLog`
   */
  output_tokens: number | null
  /**
   * The gateway's own figure, in satoshis; fractions are kept. Null: unknown.
   *
   * @default null in a `RequestLog`
   */
  cost_sats: number | null
  /**
   * What the provider reported for this request, in satoshis. Null: it reported nothing.
   *
   * @default null in a `RequestLog`
   */
  provider_cost_sats: number | null
  /** The HTTP status of a failure. Null: there was none. @default null in a `RequestLog` */
  error_status: number | null
  /**
   * What went wrong, in a few words, never a body. It is cut at 4 KiB of UTF-8, and secrets are
   * taken out before it is written. Null: nothing went wrong, or nobody said what.
   *
   * @default null in a `RequestLog`
   */
  error_message: string | null
}

/** Further details of how an attempt ended, which many gateways don't know. */
interface OutcomeDetails {
  /** The model that the provider says answered. @default null: it didn't say */
  response_model: string
  /** What the provider billed by: `flex`, `priority`, `batch`, … @default null: unknown */
  service_tier: string
  /** The part of `input_tokens` that was read from a cache. @default null: unknown */
  cache_read_input_tokens: number
  /** The part of `input_tokens` that was written to a cache. @default null: unknown */
  cache_creation_input_tokens: number
  /** The part of `cache_creation_input_tokens` that is kept for an hour. @default null: unknown */
  cache_creation_1h_input_tokens: number
  /** The part of `input_tokens` that is audio. @default null: unknown */
  audio_input_tokens: number
  /** The part of `input_tokens` that is images. @default null: unknown */
  image_input_tokens: number
  /** The part of `output_tokens` that is reasoning. @default null: unknown */
  reasoning_output_tokens: number
  /** The part of `output_tokens` that is audio. @default null: unknown */
  audio_output_tokens: number
  /** The gateway's own figure, in US dollars; fractions are kept. @default null: unknown */
  cost_usd: number
  /**
   * What the provider reported for this request, in US dollars.
   *
   * @default null: it reported nothing
   */
  provider_cost_usd: number
}

/** Members that may be left out; one that is `undefined` is the same as one that is left out. */
type Omissible<T> = { [Field in keyof T]?: T[Field] | undefined }

/** Members that may be left out, and may be null, which means the same. */
type Nullable<T> = { [Field in keyof T]?: T[Field] | null | undefined }

/** Members that may be left out of a `RequestLog` and are always in a `RequestLogged`. */
interface RequestDefaults {
  /**
   * Ties together everything that is logged about one request; several attempts may share it.
   *
   * @default a random UUID
   */
  correlation_id: string
  /**
   * When it happened: RFC 3339 with seconds and any offset, which is written as UTC with
   * milliseconds, `YYYY-MM-DDTHH:mm:ss.sssZ`.
   *
   * @default now
   */
  timestamp: string
  /** Who was asked. Null: the request was rejected before a provider was chosen. @default null */
  provider: string | null
  /** The routing policy that applied. Null: none. @default null */
  policy: string | null
  /** Whether the response is a stream. @default false */
  streaming: boolean
}

/** Members that every request has. */
interface RequestFacts {
  /** The model's name, as the client asked for it. */
  model: string
  /** Elapsed time in milliseconds, rounded to an integer; for a stream, until its first byte. */
  latency_ms: number
  /** Whether the attempt succeeded. */
  success: boolean
}

/**
 * One attempt at one request, as a caller logs it: when it has ended, or when its stream has begun.
 */
export interface RequestLog
  extends Omissible<Outcome & RequestDefaults>,
    Nullable<OutcomeDetails>,
    RequestFacts {
  /** @default 'request_logged' */
  type?: 'request_logged' | undefined
  /**
   * 0 for the first try, 1 for the first retry or fallback, and so on. Null: not given.
   *
   * @default null
   */
  attempt?: number | null | undefined
  /** The caller's own labels, such as user, team, key or tier, by name. @default none */
  labels?: Record<string, string | undefined> | undefined
}

/**
 * The end of a stream that was logged when it began, as a caller logs it. Tokens, costs in satoshis
 * and the error must be given, if only as null. A detail that is left out counts as unknown,
 * whatever the request said about it.
 */
export interface StreamCompletion extends Outcome, Nullable<OutcomeDetails> {
  type: 'stream_completed'
  /** The `correlation_id` of the request that it completes. */
  correlation_id: string
  /**
   * The attempt that it completes.
   *
   * @default the newest stream with this correlation_id that has no completion yet
   */
  attempt?: number | null | undefined
  /** When the stream ended: RFC 3339 with seconds and any offset. @default now */
  timestamp?: string | undefined
  /** From the first byte to the last, in milliseconds, rounded to an integer. Null: unknown. */
  stream_duration_ms: number | null
  /** Whether the stream ended well. */
  success: boolean
}

/** The kinds of tokens that a price may name, in the order in which lines have them. */
export const PRICE_PARTS = [
  'input',
  'cache_read_input',
  'cache_creation_input',
  'cache_creation_1h_input',
  'audio_input',
  'image_input',
  'output',
  'reasoning_output',
  'audio_output',
] as const
export type PricePart = (typeof PRICE_PARTS)[number]

/**
 * Prices of a million tokens, as decimal texts (strings such as '0.15') with at most six decimals.
 * A part without a price of its own has the price of what it is a part of.
 */
export type PerMillion = { [Part in PricePart]?: string }

/** The currencies that prices and costs are in. */
export type Currency = 'usd' | 'sats'

/** Members that may be left out of a `PriceInput` and are always in a `PriceSet`. */
interface PriceTerms {
  /** Whose price it is. Null: that of any provider. @default null */
  provider: string | null
  /**
   * A decimal text with at most twelve decimals: what each request costs besides its tokens. Null:
   * nothing.
   *
   * @default null
   */
  per_request: string | null
  /** The service tier that the price is for. Null: the usual one. @default null */
  service_tier: string | null
  /**
   * The smallest number of `input_tokens` that a request must have for this price to apply. Null:
   * any number.
   *
   * @default null
   */
  min_input_tokens: number | null
  /** A note for people on where the price is from. Null: not given. @default null */
  source: string | null
}

/** The price of a model from a given moment on, as a caller sets it. */
export interface PriceInput extends Omissible<PriceTerms> {
  type: 'price_set'
  /** The name that requests have as `response_model` or as `model`, exactly. */
  model: string
  /** When the price came into force: RFC 3339 with seconds and any offset. */
  valid_from: string
  currency: Currency
  /** Null, with `per_request` null as well, withdraws the price from then on. @default null */
  per_million?: Omissible<PerMillion> | null | undefined
}

/** What a bitcoin cost at a moment in time, as a caller reports it. */
export interface RateInput {
  type: 'exchange_rate_observed'
  /** When the rate was seen: RFC 3339 with seconds and any offset. */
  observed_at: string
  /** US dollars for one bitcoin: a decimal text over 0 with at most eight decimals. */
  usd_per_btc: string
  /** A note for people on where the rate is from. Null: not given. @default null */
  source?: string | null | undefined
}

/** What `journal.append` takes. `journal.record` takes the first two. */
export type EventInput = RequestLog | StreamCompletion | PriceInput | RateInput

/** A `request_logged` as it is in the journal: every default filled, every value safe. */
export interface RequestLogged extends Outcome, RequestDefaults, Partial<OutcomeDetails>, RequestFacts {
  type: 'request_logged'
  /** 0 for the first try, 1 for the first retry, and so on. It is left out if it wasn't given. */
  attempt?: number
  /** The caller's own labels by name. They are left out if the caller left them out. */
  labels?: Record<string, string>
}

/** A `stream_completed` as it is in the journal: every default filled, every value safe. */
export interface StreamCompleted extends Outcome, Partial<OutcomeDetails> {
  type: 'stream_completed'
  /** The `correlation_id` of the request that it completes. */
  correlation_id: string
  /** The attempt that it completes. It is left out if it wasn't given. */
  attempt?: number
  /** When the stream ended, in UTC with milliseconds: `YYYY-MM-DDTHH:mm:ss.sssZ`. */
  timestamp: string
  /** From the first byte to the last, in whole milliseconds. Null: unknown. */
  stream_duration_ms: number | null
  /**
   * Whether the stream ended well. Null, which only foreign lines have, leaves the request's own
   * value.
   */
  success: boolean | null
}

/** A `price_set` as it is in the journal: every default filled, every value safe. */
export interface PriceSet extends PriceTerms {
  type: 'price_set'
  /** The name that requests have as `response_model` or as `model`, exactly. */
  model: string
  /** When the price came into force, in UTC with milliseconds: `YYYY-MM-DDTHH:mm:ss.sssZ`. */
  valid_from: string
  currency: Currency
  /** Null, with `per_request` null as well, withdraws the price from then on. */
  per_million: PerMillion | null
}

/** An `exchange_rate_observed` as it is in the journal: every value safe. */
export interface ExchangeRateObserved {
  type: 'exchange_rate_observed'
  /** When the rate was seen, in UTC with milliseconds: `YYYY-MM-DDTHH:mm:ss.sssZ`. */
  observed_at: string
  /** US dollars for one bitcoin: a decimal text over 0 with at most eight decimals. */
  usd_per_btc: string
  /** A note for people on where the rate is from. Null: not given. */
  source: string | null
}

/**
 * An event as it is in the journal. Code that distinguishes the types does so in an exhaustive
 * `switch`, so that the compiler finds it when a type is added.
 */
export type JournalEvent = RequestLogged | StreamCompleted | PriceSet | ExchangeRateObserved
export type EventType = JournalEvent['type']
