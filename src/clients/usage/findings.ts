import { type Observation, USAGE_FIELDS, type Usage } from './observation.js'
import type { Told, ToldObject, WantedNode } from './wanted.js'

/** What one API says: the members that may be read of its answers, and what they mean. */
export interface Api {
  /** The allow-list. */
  wanted: WantedNode
  /**
   * An event that tells the same as the one before it counts too. Elsewhere reading an event twice
   * changes no more than reading it once, so that the second may be left unread.
   */
  countsEvents?: true
  /**
   * @returns a function that reads one document: an answer's body, the data of an event, or an
   *   element of an array. It changes what was found so far.
   */
  reader(found: Findings): (document: ToldObject) => void
}

/** What an answer has told so far. */
export interface Findings extends Omit<Observation, 'outcome'> {
  /** The error that the answer told. */
  error: { status: number | null; message: string } | null
  /** Whether the end of a stream was seen. */
  isEnded: boolean
}

export function noFindings(): Findings {
  return {
    usage: null,
    response_model: null,
    service_tier: null,
    response_id: null,
    error: null,
    isEnded: false,
  }
}

/** @returns null if nothing was told: a usage of nulls alone isn't one */
export function usageOf(told: Partial<Usage>): Usage | null {
  // Written out, since a stream may tell a usage with each of its events.
  const usage: Usage = {
    input_tokens: told.input_tokens ?? null,
    output_tokens: told.output_tokens ?? null,
    cache_read_input_tokens: told.cache_read_input_tokens ?? null,
    cache_creation_input_tokens: told.cache_creation_input_tokens ?? null,
    cache_creation_1h_input_tokens: told.cache_creation_1h_input_tokens ?? null,
    audio_input_tokens: told.audio_input_tokens ?? null,
    image_input_tokens: told.image_input_tokens ?? null,
    reasoning_output_tokens: told.reasoning_output_tokens ?? null,
    audio_output_tokens: told.audio_output_tokens ?? null,
    provider_cost_usd: told.provider_cost_usd ?? null,
    provider_cost_sats: told.provider_cost_sats ?? null,
  }
  for (const field of USAGE_FIELDS) if (usage[field] !== null) return usage
  return null
}

/** @returns null for anything but a count that JSON readers agree on: it is never guessed. */
export function count(told: Told | undefined): number | null {
  return Number.isSafeInteger(told) && (told as number) >= 0 ? (told as number) + 0 : null
}

/** @returns null for anything but an amount of money that isn't negative. */
export function amount(told: Told | undefined): number | null {
  return typeof told === 'number' && Number.isFinite(told) && told >= 0 ? told + 0 : null
}

/** @returns null for anything but a text that isn't empty. What it is can be logged as a name. */
export function text(told: unknown): string | null {
  return typeof told === 'string' && told !== '' ? withoutNul(told) : null
}

/** U+FFFD stands for each NUL: a journal refuses an event for one, and the request would have no row. */
export function withoutNul(name: string): string {
  return name.replaceAll('\0', '\ufffd')
}

/** @returns an object without members for anything else */
export function object(told: Told | undefined): ToldObject {
  return isObject(told) ? told : NOTHING
}

export function isObject(told: Told | undefined): told is ToldObject {
  return typeof told === 'object' && told !== null && !Array.isArray(told)
}

/** @returns no elements for anything but an array */
export function objects(told: Told | undefined): ToldObject[] {
  return Array.isArray(told) ? told.map(object) : []
}

const NOTHING: ToldObject = Object.freeze({})

/** The sum of parts that exclude each other. Null: the first of them, the main one, wasn't told. */
export function sum(main: number | null, ...parts: (number | null)[]): number | null {
  if (main === null) return null
  const total = parts.reduce<number>((total, part) => total + (part ?? 0), main)
  return count(total)
}
