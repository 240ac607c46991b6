/** How an attempt ended: what both events say of it. */
interface Outcome {
  /**
   * All tokens that went in, cached ones included. Null: unknown, which is never the same as 0.
   *
   * @default null, if it may be left out
   */
  input_tokens: number | null
  /**
   * All tokens that came out, reasoning included. Null: unknown, which is never the same as 0.
   *
   * @default null, if it may be left out
   */
  output_tokens: number | null
  /**
   * The gateway's own figure, in satoshis; fractions are kept. Null: unknown.
   *
   * @default null, if it may be left out
   */
  cost_sats: number | null
  /**
   * What the provider reported for this request, in satoshis. Null: it reported nothing.
   *
   * @default null, if it may be left out
   */
  provider_cost_sats: number | null
  /** The HTTP status of a failure. Null: there was none. @default null, if it may be left out */
  error_status: number | null
  /**
   * What went wrong, in a few words, never a body. It is cut at 4 KiB of UTF-8, and secrets are
   * taken out before it is written. Null: nothing went wrong, or nobody said what.
   *
   * @default null, if it may be left out
   */
  error_message: string | null
}

/** Members that may be left out; one that is `undefined` is the same as one that is left out. */
type Omissible<T> = { [Field in keyof T]?: T[Field] | undefined }

/**
 * One attempt at one request, as a caller logs it: when it has ended, or when its stream has begun.
 */
export interface RequestLog extends Omissible<Outcome> {
  /** @default 'request_logged' */
  type?: 'request_logged' | undefined
  /**
   * Joins everything that is logged of one request; several attempts may share it.
   *
   * @default a random UUID
   */
  correlation_id?: string | undefined
  /**
   * 0 for the first try, 1 for the first retry or fallback, and so on. Null: not given.
   *
   * @default null
   */
  attempt?: number | null | undefined
  /**
   * When it happened: RFC 3339 with seconds and any offset. It is written as UTC with milliseconds.
   *
   * @default now
   */
  timestamp?: string | undefined
  /** The model's name, as the client asked for it. */
  model: string
  /** Who was asked. Null: the request was rejected before a provider was chosen. @default null */
  provider?: string | null | undefined
  /** The routing policy that applied. Null: none. @default null */
  policy?: string | null | undefined
  /** Whether the answer is a stream. @default false */
  streaming?: boolean | undefined
  /**
   * Wall clock, in milliseconds, rounded to an integer; for a stream, the time to its first byte.
   */
  latency_ms: number
  /** Whether the attempt succeeded. */
  success: boolean
  /** The caller's own dimensions, such as user, team, key or tier, by name. @default none */
  labels?: Record<string, string | undefined> | undefined
}

/**
 * The end of a stream that was logged when it began, as a caller logs it: every figure is given,
 * null if it is unknown.
 */
export interface StreamCompletion extends Outcome {
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

/** What `journal.record` and `journal.append` take. */
export type EventInput = RequestLog | StreamCompletion

/** A `request_logged` as it stands in the journal: every default filled, every value safe. */
export interface RequestLogged extends Outcome {
  type: 'request_logged'
  /** Joins everything that is logged of one request; several attempts may share it. */
  correlation_id: string
  /**
   * 0 for the first try, 1 for the first retry or fallback, and so on. It is left out if it
   * wasn't told.
   */
  attempt?: number
  /** When it happened, in UTC with milliseconds: `YYYY-MM-DDTHH:mm:ss.sssZ`. */
  timestamp: string
  /** The model's name, as the client asked for it. */
  model: string
  /** Who was asked. Null: the request was rejected before a provider was chosen. */
  provider: string | null
  /** The routing policy that applied. Null: none. */
  policy: string | null
  /** Whether the answer is a stream. */
  streaming: boolean
  /** Wall clock, in whole milliseconds; for a stream, the time to its first byte. */
  latency_ms: number
  /** Whether the attempt succeeded. */
  success: boolean
  /** The caller's own dimensions by name. They are left out if there are none. */
  labels?: Record<string, string>
}

/** A `stream_completed` as it stands in the journal: every default filled, every value safe. */
export interface StreamCompleted extends Outcome {
  type: 'stream_completed'
  /** The `correlation_id` of the request that it completes. */
  correlation_id: string
  /** The attempt that it completes. It is left out if it wasn't told. */
  attempt?: number
  /** When the stream ended, in UTC with milliseconds: `YYYY-MM-DDTHH:mm:ss.sssZ`. */
  timestamp: string
  /** From the first byte to the last, in whole milliseconds. Null: unknown. */
  stream_duration_ms: number | null
  /**
   * Whether the stream ended well. Null, which only foreign lines say, leaves what the request
   * said.
   */
  success: boolean | null
}

/**
 * An event as it stands in the journal. Whatever tells the types apart does so in an exhaustive
 * `switch`.
 */
export type JournalEvent = RequestLogged | StreamCompleted
export type EventType = JournalEvent['type']
