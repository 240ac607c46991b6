// What an API of providers is to the observers, and what they find in its answers. The APIs are
// listed in apis.ts.
import { type Observation, USAGE_FIELDS, type Usage } from './observation.js'
import type { ScannedObject, WantedNode } from './wanted-members.js'

/** One API of providers: which members of its answers are read, and what they mean. */
export interface Api {
  /** The only members that are read. */
  wanted: WantedNode
  /**
   * Whether an event counts even if its wanted values are those of the event before it. With most
   * APIs it doesn't, so it needn't be read.
   */
  countsEvents?: true
  /**
   * Returns a function that reads one document (an answer's body, the data of an event, or an
   * element of an array) and adds what it finds to `found`.
   */
  reader(found: Findings): (document: ScannedObject) => void
}

/** What has been found in an answer so far. */
export interface Findings extends Omit<Observation, 'outcome'> {
  /** The error that the answer reports. */
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

/** Fills what is missing with null; null if all of it is missing. */
export function usageOf(known: Partial<Usage>): Usage | null {
  // Written out rather than looped over, since a stream may report its usage with each event.
  const usage: Usage = {
    input_tokens: known.input_tokens ?? null,
    output_tokens: known.output_tokens ?? null,
    cache_read_input_tokens: known.cache_read_input_tokens ?? null,
    cache_creation_input_tokens: known.cache_creation_input_tokens ?? null,
    cache_creation_1h_input_tokens: known.cache_creation_1h_input_tokens ?? null,
    audio_input_tokens: known.audio_input_tokens ?? null,
    image_input_tokens: known.image_input_tokens ?? null,
    reasoning_output_tokens: known.reasoning_output_tokens ?? null,
    audio_output_tokens: known.audio_output_tokens ?? null,
    provider_cost_usd: known.provider_cost_usd ?? null,
    provider_cost_sats: known.provider_cost_sats ?? null,
  }
  for (const field of USAGE_FIELDS) if (usage[field] !== null) return usage
  return null
}
