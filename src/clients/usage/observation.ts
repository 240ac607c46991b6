/** What was learned from a provider's answer, as far as its bytes were seen. */
export interface Observation {
  /** Null: the answer reported neither tokens nor a cost. */
  usage: Usage | null
  /** The model that the provider says answered. */
  response_model: string | null
  /** What the provider says it billed by. */
  service_tier: string | null
  /** The provider's own id of the answer. */
  response_id: string | null
  outcome: ObservedOutcome
}

export type ObservedOutcome =
  | { kind: 'complete' }
  /** The body stopped too early: a stream without its end marker, or JSON that isn't closed. */
  | { kind: 'incomplete' }
  /** Nothing in the body shows where it ends. */
  | { kind: 'unknown' }
  /**
   * The provider reported a failure: by the HTTP status, or in the body of an answer that began
   * with 200. `status` is null if the error came without one; `message` is short, never a body.
   */
  | { kind: 'error'; status: number | null; message: string }

/** The tokens and costs that an answer reported, by the fields of events. Null: not reported. */
export type Usage = Record<UsageField, number | null>

export const USAGE_FIELDS = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'provider_cost_usd',
  'provider_cost_sats',
] as const

export type UsageField = (typeof USAGE_FIELDS)[number]

/** The head of an answer, and the path of its request. */
export interface Answer {
  /** The path of the request's URL; it may have a query. */
  path: string
  /** The HTTP status. */
  status: number
  header(name: string): string | null
  /** Whether the request asked for a stream. */
  isStreamAsked: boolean
}
