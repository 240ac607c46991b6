import { describeValue } from './describe-value.js'
import { InvalidEventError } from './errors.js'
import type {
  EventType,
  ExchangeRateObserved,
  JournalEvent,
  PriceSet,
  RequestLogged,
  StreamCompleted,
} from './event-types.js'
import { type CostField, FIELDS, type Members } from './fields.js'
import { nearestName } from './nearest-name.js'
import { findProblems } from './problems.js'
import * as safe from './value-kinds.js'

/**
 * Fills defaults and makes values safe, for a caller's events and for foreign lines alike, and is
 * the only function that does. Timestamps become canonical, lone surrogates U+FFFD, −0 becomes 0,
 * milliseconds are rounded, error_message and long identifiers are cut; a cost that is NaN or
 * infinite becomes null, since losing the whole event would be worse than losing its cost. Fields
 * that this version doesn't know are left out.
 *
 * @throws InvalidEventError naming the fields that break the schema.
 */
export function normalizeEvent(input: unknown, hooks: NormalizeHooks): JournalEvent {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new InvalidEventError([
      { field: 'event', found: describeValue(input, hooks.redact), expected: 'an object' },
    ])
  }
  const given = (input as { type?: unknown }).type
  const type = eventTypeOf(given)
  if (type === null) {
    const types = Object.keys(FIELDS).map((known) => `'${known}'`)
    const nearest = typeof given === 'string' ? nearestName(given, Object.keys(FIELDS)) : null
    const hint = nearest === null ? '' : `; did you mean '${nearest}'?`
    const expected = `${types.join(', ')} or no type at all${hint}`
    throw new InvalidEventError([{ field: 'type', found: describeValue(given, hooks.redact), expected }])
  }
  try {
    return normalize(type, input, hooks)
  } catch (error) {
    if (!(error instanceof safe.InvalidValue)) throw error
    const problems = findProblems(input, FIELDS[type], hooks.redact)
    throw new InvalidEventError(problems.length > 0 ? problems : [CHANGING_VALUE])
  }
}

/**
 * Returns the event type that a `type` member names, or null for an unknown one. Without a `type`
 * it is `request_logged`.
 */
export function eventTypeOf(type: unknown): EventType | null {
  if (type === undefined) return 'request_logged'
  return typeof type === 'string' && Object.hasOwn(FIELDS, type) ? (type as EventType) : null
}

/**
 * What `normalizeEvent` calls. The first two fill fields that an event leaves out: from the clock
 * for a caller's event, from the line's place for a foreign line (one that another program wrote).
 */
export interface NormalizeHooks {
  correlationId(): string
  timestamp(): string
  /** Called with each cost that became null because it is NaN or infinite. */
  costDropped?(member: CostField): void
  /**
   * Takes secrets out of a string that an error quotes.
   *
   * @default masks those that SECURITY.md lists
   */
  redact?(text: string): string
}

/** The problem with an event that has a getter which gives a different value each time. */
const CHANGING_VALUE = {
  field: 'event',
  found: 'a value that changes when it is read again',
  expected: 'plain values',
}

/**
 * Checks each field where it is read. Measured over a trace of requests: this and `unknownFields`
 * together take 153 ns an event, whereas a compiled JSON Schema followed by filling in defaults
 * takes 173; with two labels, they take 1.7 µs, against 3.0.
 */
function normalize(type: EventType, input: object, hooks: NormalizeHooks): JournalEvent {
  switch (type) {
    case 'request_logged':
      return normalizeRequestLog(input, hooks)
    case 'stream_completed':
      return normalizeStreamCompleted(input, hooks)
    case 'price_set':
      return normalizePriceSet(input)
    case 'exchange_rate_observed':
      return normalizeRate(input)
    default:
      return type satisfies never
  }
}

function normalizeRequestLog(input: Members<'request_logged'>, hooks: NormalizeHooks): RequestLogged {
  const { correlation_id, timestamp } = input
  const event: RequestLogged = {
    type: 'request_logged',
    correlation_id: correlation_id === undefined ? hooks.correlationId() : safe.identifier(correlation_id),
    timestamp: timestamp === undefined ? hooks.timestamp() : safe.timestamp(timestamp),
    model: safe.identifier(input.model),
    provider: safe.identifierOrNull(input.provider),
    policy: safe.identifierOrNull(input.policy),
    streaming: input.streaming === undefined ? false : safe.flag(input.streaming),
    input_tokens: safe.countOrNull(input.input_tokens),
    output_tokens: safe.countOrNull(input.output_tokens),
    cost_sats: safe.costOrNull(input.cost_sats),
    provider_cost_sats: safe.costOrNull(input.provider_cost_sats),
    latency_ms: safe.milliseconds(input.latency_ms),
    success: safe.flag(input.success),
    error_status: safe.statusOrNull(input.error_status),
    error_message: safe.errorMessageOrNull(input.error_message),
  }
  const attempt = safe.countOrNull(input.attempt)
  if (attempt !== null) event.attempt = attempt
  addDetails(event, input)
  if (input.labels !== undefined) event.labels = safe.labels(input.labels)
  reportDroppedCosts(input, hooks)
  return event
}

function normalizeStreamCompleted(
  input: Members<'stream_completed'>,
  hooks: NormalizeHooks,
): StreamCompleted {
  const { timestamp } = input
  const event: StreamCompleted = {
    type: 'stream_completed',
    correlation_id: safe.identifier(input.correlation_id),
    timestamp: timestamp === undefined || timestamp === null ? hooks.timestamp() : safe.timestamp(timestamp),
    input_tokens: safe.countOrNull(input.input_tokens),
    output_tokens: safe.countOrNull(input.output_tokens),
    cost_sats: safe.costOrNull(input.cost_sats),
    provider_cost_sats: safe.costOrNull(input.provider_cost_sats),
    stream_duration_ms: safe.millisecondsOrNull(input.stream_duration_ms),
    success: safe.flagOrNull(input.success),
    error_status: safe.statusOrNull(input.error_status),
    error_message: safe.errorMessageOrNull(input.error_message),
  }
  const attempt = safe.countOrNull(input.attempt)
  if (attempt !== null) event.attempt = attempt
  addDetails(event, input)
  reportDroppedCosts(input, hooks)
  return event
}

/**
 * Adds the details that are known; the others are left out of the line. Most events have none, so
 * each is tested for here before a function is called. Measured with an event that has none: this
 * takes 17 ns, and 51 if a function is called for each.
 */
function addDetails(
  event: RequestLogged | StreamCompleted,
  input: Members<'request_logged' | 'stream_completed'>,
): void {
  const { response_model, service_tier, cost_usd, provider_cost_usd } = input
  if (response_model != null) event.response_model = safe.identifier(response_model)
  if (service_tier != null) event.service_tier = safe.identifier(service_tier)
  if (input.cache_read_input_tokens != null)
    event.cache_read_input_tokens = safe.count(input.cache_read_input_tokens)
  if (input.cache_creation_input_tokens != null)
    event.cache_creation_input_tokens = safe.count(input.cache_creation_input_tokens)
  if (input.cache_creation_1h_input_tokens != null)
    event.cache_creation_1h_input_tokens = safe.count(input.cache_creation_1h_input_tokens)
  if (input.audio_input_tokens != null) event.audio_input_tokens = safe.count(input.audio_input_tokens)
  if (input.image_input_tokens != null) event.image_input_tokens = safe.count(input.image_input_tokens)
  if (input.reasoning_output_tokens != null)
    event.reasoning_output_tokens = safe.count(input.reasoning_output_tokens)
  if (input.audio_output_tokens != null) event.audio_output_tokens = safe.count(input.audio_output_tokens)
  const cost = cost_usd == null ? null : safe.costOrNull(cost_usd)
  if (cost !== null) event.cost_usd = cost
  const providerCost = provider_cost_usd == null ? null : safe.costOrNull(provider_cost_usd)
  if (providerCost !== null) event.provider_cost_usd = providerCost
}

function reportDroppedCosts(input: Partial<Record<CostField, unknown>>, hooks: NormalizeHooks): void {
  const { cost_sats, provider_cost_sats, cost_usd, provider_cost_usd } = input
  if (isDropped(cost_sats)) hooks.costDropped?.('cost_sats')
  if (isDropped(provider_cost_sats)) hooks.costDropped?.('provider_cost_sats')
  if (isDropped(cost_usd)) hooks.costDropped?.('cost_usd')
  if (isDropped(provider_cost_usd)) hooks.costDropped?.('provider_cost_usd')
}

function isDropped(cost: unknown): boolean {
  return typeof cost === 'number' && !Number.isFinite(cost)
}

function normalizePriceSet(input: Members<'price_set'>): PriceSet {
  const currency = safe.currency(input.currency)
  return {
    type: 'price_set',
    provider: safe.identifierOrNull(input.provider),
    model: safe.identifier(input.model),
    valid_from: safe.timestamp(input.valid_from),
    currency,
    per_million: safe.perMillionOrNull(input.per_million, currency),
    per_request: safe.perRequestOrNull(input.per_request, currency),
    service_tier: safe.identifierOrNull(input.service_tier),
    min_input_tokens: safe.countOrNull(input.min_input_tokens),
    source: safe.identifierOrNull(input.source),
  }
}

function normalizeRate(input: Members<'exchange_rate_observed'>): ExchangeRateObserved {
  return {
    type: 'exchange_rate_observed',
    observed_at: safe.timestamp(input.observed_at),
    usd_per_btc: safe.rate(input.usd_per_btc),
    source: safe.identifierOrNull(input.source),
  }
}

/** The members that a line may have: any other is unknown to this version. */
const KNOWN_FIELDS = ofEachType((type) => new Set(['type', 'crc32', ...Object.keys(FIELDS[type])]))

/**
 * The fields of the last event that had only known ones, since callers log the same fields each
 * time. Measured: 27 ns, against 78 without this.
 */
const usualFields = ofEachType((): readonly string[] => [])

function ofEachType<T>(make: (type: EventType) => T): Record<EventType, T> {
  const types = Object.keys(FIELDS) as EventType[]
  return Object.fromEntries(types.map((type) => [type, make(type)])) as Record<EventType, T>
}

/**
 * Collects the members of a caller's event that this version doesn't know: they go into the journal
 * as they are, and readers ignore them. Null when there are none, which is usual.
 */
export function unknownFields(input: object, type: EventType): Record<string, unknown> | null {
  const known = KNOWN_FIELDS[type]
  const usual = usualFields[type]
  let unknown: [string, unknown][] | null = null
  let index = 0
  let isUsual = true
  for (const field in input) {
    if (field === usual[index++]) continue
    isUsual = false
    if (known.has(field) || !Object.hasOwn(input, field)) continue
    const value = (input as Record<string, unknown>)[field]
    // JSON can't hold these, so they aren't written, and `append` doesn't return them as written.
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') continue
    unknown ??= []
    unknown.push([field, value])
  }
  if (unknown === null) {
    // An unknown member that is undefined now may have a value in the next event.
    if (!isUsual && Object.keys(input).every((field) => known.has(field))) {
      usualFields[type] = Object.keys(input)
    }
    return null
  }
  // fromEntries, because assigning to a key named __proto__ would set a prototype instead.
  return Object.fromEntries(unknown)
}
