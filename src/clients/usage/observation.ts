/** What an answer of a provider told, as far as its bytes were seen. */
export interface Observation {
  /** Null: the answer told neither tokens nor a cost. */
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
  /** The body ended before its end: a stream without its end marker, or JSON that isn't closed. */
  | { kind: 'incomplete' }
  /**
   * The provider said that it failed: by the HTTP status, or in a body that began with 200.
   * `status` is null if no status was told for this error; `message` is short, never a body.
   */
  | { kind: 'error'; status: number | null; message: string }

/** The tokens and costs that an answer told, by the fields of the events. Null: not told. */
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

/**
 * Reads the bytes of one answer. No method throws, and the memory an observer takes doesn't grow
 * with the answer.
 */
export interface AnswerObserver {
  /**
   * Reads the next bytes of the body, after decoding its `content-encoding`. They aren't changed,
   * and nothing of them is referred to after the call.
   */
  push(bytes: Uint8Array): void
  /**
   * Says what the answer has told. The body has ended, or broke off; asked before, it says what was
   * told so far, and goes on.
   */
  end(): Observation
}
