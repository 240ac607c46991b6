import type {
  EventType,
  ExchangeRateObserved,
  PriceInput,
  PriceSet,
  RateInput,
  RequestLog,
  RequestLogged,
  StreamCompleted,
  StreamCompletion,
} from './event-types.js'
import type { Kind } from './value-kinds.js'

export interface Field {
  kind: Kind
  /**
   * `required`: a line must have the field. `optional`: it may leave it out. `nullable`: it may
   * leave it out or have null.
   */
  presence: 'required' | 'optional' | 'nullable'
  description: string | undefined
  /** The value of a field that is left out, for event.schema.json. */
  default?: boolean
}

const required = <K extends Kind>(kind: K, description?: string) => field(kind, 'required', description)
const optional = <K extends Kind>(kind: K, description?: string) => field(kind, 'optional', description)
const nullable = <K extends Kind>(kind: K, description?: string) => field(kind, 'nullable', description)

function field<K extends Kind>(kind: K, presence: Field['presence'], description: string | undefined) {
  return { kind, presence, description }
}

const UNKNOWN_TOKENS = 'null: unknown, never 0'

const OUTCOME = {
  input_tokens: nullable('count', UNKNOWN_TOKENS),
  output_tokens: nullable('count', UNKNOWN_TOKENS),
  cost_sats: nullable('cost', "the gateway's own figure, in satoshis, fractions kept"),
  provider_cost_sats: nullable('cost', 'what the provider reported, in satoshis'),
  error_status: nullable('status', 'HTTP status'),
  error_message: nullable('text', 'short, never a body; cut at 4 KiB of UTF-8'),
  response_model: nullable('identifier', 'the model that the provider says answered'),
  service_tier: nullable('identifier', 'what the provider billed by: flex, priority, batch, …'),
  cache_read_input_tokens: nullable('count', 'part of input_tokens: read from a cache'),
  cache_creation_input_tokens: nullable('count', 'part of input_tokens: written to a cache'),
  cache_creation_1h_input_tokens: nullable('count', 'part of cache_creation_input_tokens: kept for an hour'),
  audio_input_tokens: nullable('count', 'part of input_tokens: audio'),
  image_input_tokens: nullable('count', 'part of input_tokens: images'),
  reasoning_output_tokens: nullable('count', 'part of output_tokens: reasoning'),
  audio_output_tokens: nullable('count', 'part of output_tokens: audio'),
  cost_usd: nullable('cost', "the gateway's own figure, in US dollars, fractions kept"),
  provider_cost_usd: nullable('cost', 'what the provider reported, in US dollars'),
}

const ATTEMPT = nullable(
  'count',
  '0 for the first try, 1 for its first retry or fallback, …; null: not given',
)

/**
 * The members of an event besides `type`, whether a caller gives them or the journal holds them.
 */
type Fields<Events> = Record<Exclude<Events extends unknown ? keyof Events : never, 'type'>, Field>

/**
 * The fields of each event, as a line of the journal may give them. The known members, the texts of
 * errors and journal/event.schema.json follow from this table. The compiler holds it to the types,
 * and test/events/fields.test.ts holds `normalizeEvent` to it.
 */
export const FIELDS = {
  request_logged: {
    correlation_id: optional('identifier', 'ties together all that is logged about one request; a UUID'),
    attempt: ATTEMPT,
    timestamp: optional('timestamp'),
    model: required('identifier', 'as the client asked for it'),
    provider: nullable('identifier', 'null: rejected before a provider was chosen'),
    policy: nullable('identifier', 'the routing policy that applied'),
    streaming: { ...optional('flag'), default: false },
    latency_ms: required('milliseconds', 'elapsed time; for a stream, the time to its first byte'),
    success: required('flag'),
    ...OUTCOME,
    labels: optional('labels', "the caller's own labels: user, team, key, tag, tier"),
  } satisfies Fields<RequestLog | RequestLogged>,
  stream_completed: {
    correlation_id: required('identifier', 'that of the request that it completes'),
    attempt: ATTEMPT,
    timestamp: nullable('timestamp'),
    ...OUTCOME,
    stream_duration_ms: nullable('milliseconds', 'elapsed time, from the first byte to the last'),
    success: nullable('flag', "null: leaves the request's own value"),
  } satisfies Fields<StreamCompletion | StreamCompleted>,
  price_set: {
    provider: nullable('identifier', 'null: any provider'),
    model: required('identifier', 'as requests have it in response_model or in model, exactly'),
    valid_from: required('timestamp', 'when it came into force'),
    currency: required('currency'),
    per_million: nullable('per_million', 'null: tokens cost nothing, or the price is withdrawn'),
    per_request: nullable('per_request', 'what each request costs besides its tokens'),
    service_tier: nullable('identifier', 'the service tier that it applies to; null: the usual one'),
    min_input_tokens: nullable(
      'count',
      'the smallest number of input_tokens that it applies to; null: any number',
    ),
    source: nullable('identifier', 'a note for people on where it is from'),
  } satisfies Fields<PriceInput | PriceSet>,
  exchange_rate_observed: {
    observed_at: required('timestamp', 'when it was seen'),
    usd_per_btc: required('rate', 'US dollars for one bitcoin'),
    source: nullable('identifier', 'a note for people on where it is from'),
  } satisfies Fields<RateInput | ExchangeRateObserved>,
} satisfies Record<EventType, object>

/** A field that holds money: NaN and infinities become null there. */
export type CostField = {
  [Name in keyof typeof OUTCOME]: (typeof OUTCOME)[Name]['kind'] extends 'cost' ? Name : never
}[keyof typeof OUTCOME]

/** An event's members before they are checked. */
export type Members<Type extends EventType> = { readonly [Name in keyof (typeof FIELDS)[Type]]?: unknown }
