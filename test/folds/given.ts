import type { BatchItem, PlacedCompletion, RejectedLine } from '../../src/events/place.js'
import type { Known, KnownRequest } from '../../src/folds/changes.js'
import { PriceBook } from '../../src/folds/costs/price-book.js'
import type { StoredRequest } from '../../src/folds/stored-request.js'
import { normalizedCompletion, normalizedLog } from '../events/support.js'

export const SEGMENT = 20261122000

/** A request's event at a place. */
export function logged(correlation_id: string, byteOffset: number, fields: object = {}): BatchItem {
  const log = { model: 'm', latency_ms: 10, success: true, timestamp: '2026-11-22T10:00:00.000Z', ...fields }
  return { segmentId: SEGMENT, byteOffset, event: normalizedLog({ ...log, correlation_id }) }
}

/** A completion's event at a place. */
export function ended(correlation_id: string, byteOffset: number, fields: object = {}): BatchItem {
  const event = normalizedCompletion({ type: 'stream_completed', correlation_id, ...fields })
  return { segmentId: SEGMENT, byteOffset, event }
}

export function rejected(byteOffset: number): RejectedLine {
  const detail = 'not JSON'
  return { segmentId: SEGMENT, byteOffset, event: null, length: 3, reason: 'not_json', detail, excerpt: 'x' }
}

/** A completion that is stored: held, or deferred. */
export function completion(
  correlation_id: string,
  byteOffset: number,
  fields: object = {},
): PlacedCompletion {
  const event = normalizedCompletion({ type: 'stream_completed', correlation_id, ...fields })
  return { completion: event, place: { segmentId: SEGMENT, byteOffset } }
}

/** A request that has a row already, which streams and is open unless told. */
export function stored(id: number, fields: Partial<StoredRequest> = {}): StoredRequest {
  return {
    ...{ id, attempt: null, timestamp: '2026-11-22T09:00:00.000Z', model: 'm', provider: null, policy: null },
    ...{
      streaming: true,
      latency_ms: 5,
      success: true,
      input_tokens: null,
      output_tokens: null,
      cost_sats: null,
    },
    ...{ cost_usd: null, cost_source: null, cost_currency: null, price: null, provider_cost_sats: null },
    ...{ labels: {}, place: { segmentId: SEGMENT, byteOffset: id }, isInSums: true, completedBy: null },
    ...fields,
  }
}

/** What a store knows; nothing unless told. */
export function known(fields: Partial<Known> = {}): Known {
  return {
    ...{ nextId: 1, takenIds: new Set(), isDeferring: false, book: PriceBook.EMPTY },
    ...{ requests: new Map(), later: new Map(), held: new Map() },
    ...fields,
  }
}

/** The requests of one correlation_id, the newest first. */
export function candidates(...requests: StoredRequest[]): KnownRequest[] {
  return requests.map((request, newer) => ({ request, newer }))
}

/** Freezes everything that can be reached from a value, maps and sets as well. */
export function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (value instanceof Map || value instanceof Set) {
    for (const [key, member] of value.entries()) {
      frozen(key)
      frozen(member)
    }
    const refuse = () => {
      throw new TypeError('this is frozen')
    }
    Object.assign(value, { set: refuse, add: refuse, delete: refuse, clear: refuse })
  }
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}
