import Type from 'typebox'

/** The greatest integer that JSON readers in every language agree on: 2^53 − 1. */
const MAX_INTEGER = Number.MAX_SAFE_INTEGER

/** No NUL: SQL shells and C programs end a text there, so two different names would look like one. */
const identifier = (description: string) => Type.String({ pattern: '^[^\\u0000]*$', description })
const CUT = 'over 1 KiB of UTF-8 it is cut: see "Values" in README.md'
const Identifier = identifier(CUT)
const Count = Type.Integer({ minimum: 0, maximum: MAX_INTEGER })
const Milliseconds = Type.Number({ minimum: 0, maximum: MAX_INTEGER })
const HttpStatus = Type.Integer({ minimum: -MAX_INTEGER, maximum: MAX_INTEGER })
const Timestamp = Type.String({
  description: 'RFC 3339 with seconds and an offset; written as UTC with milliseconds',
})

const Attempt = Type.Optional(
  Type.Union([Count, Type.Null()], {
    description: '0 for the first try, 1 for its first retry or fallback, …; null: not told',
  }),
)

/** The columns that a stream's end overwrites, alike in both events. */
const outcome = {
  input_tokens: Type.Optional(Type.Union([Count, Type.Null()], { description: 'null: unknown, never 0' })),
  output_tokens: Type.Optional(Type.Union([Count, Type.Null()], { description: 'null: unknown, never 0' })),
  cost_sats: Type.Optional(
    Type.Union([Type.Number(), Type.Null()], { description: 'our figure, in satoshis, fractions kept' }),
  ),
  provider_cost_sats: Type.Optional(
    Type.Union([Type.Number(), Type.Null()], { description: 'what the provider reported, in satoshis' }),
  ),
  error_status: Type.Optional(Type.Union([HttpStatus, Type.Null()], { description: 'HTTP status' })),
  error_message: Type.Optional(
    Type.Union([Type.String(), Type.Null()], { description: 'short, never a body; cut at 4 KiB of UTF-8' }),
  ),
}

/** A RequestLog as a caller or a foreign line may give it. */
export const RequestLogSchema = Type.Object(
  {
    type: Type.Optional(
      Type.Literal('request_logged', { description: 'a line without type is one of these' }),
    ),
    correlation_id: Type.Optional(identifier(`joins all that is logged of one request; a UUID; ${CUT}`)),
    attempt: Attempt,
    timestamp: Type.Optional(Timestamp),
    model: identifier(`as the client asked for it; ${CUT}`),
    provider: Type.Optional(
      Type.Union([Identifier, Type.Null()], { description: 'null: rejected before a provider was chosen' }),
    ),
    policy: Type.Optional(
      Type.Union([Identifier, Type.Null()], { description: 'the routing policy that applied' }),
    ),
    streaming: Type.Optional(Type.Boolean({ default: false })),
    latency_ms: Type.Number({
      minimum: 0,
      maximum: MAX_INTEGER,
      description: 'wall clock, rounded to an integer; of a stream, to its first byte',
    }),
    success: Type.Boolean(),
    ...outcome,
    labels: Type.Optional(
      Type.Unsafe<Record<string, string>>(
        Type.Object(
          {},
          {
            additionalProperties: Identifier,
            propertyNames: { pattern: '^[^\\u0000]*$' },
            description: `the caller's own dimensions: user, team, key, tag, tier; a name ${CUT}`,
          },
        ),
      ),
    ),
  },
  { title: 'request_logged', description: 'One finished request, or a stream that has begun.' },
)

/** A `stream_completed` as a caller or a foreign line may give it. */
export const StreamCompletedSchema = Type.Object(
  {
    type: Type.Literal('stream_completed'),
    correlation_id: identifier(`of the request it completes; ${CUT}`),
    attempt: Attempt,
    timestamp: Type.Optional(Type.Union([Timestamp, Type.Null()])),
    ...outcome,
    stream_duration_ms: Type.Optional(
      Type.Union([Milliseconds, Type.Null()], { description: 'wall clock, rounded to an integer' }),
    ),
    success: Type.Optional(
      Type.Union([Type.Boolean(), Type.Null()], { description: 'null: leaves what the request said' }),
    ),
  },
  {
    title: 'stream_completed',
    description: 'How a request that was logged when its stream began has ended.',
  },
)

/** A field left out and a field that is `undefined` are the same. */
type Undefinable<T> = { [K in keyof T]: undefined extends T[K] ? T[K] | undefined : T[K] }

/** What `journal.record` and `journal.append` take for a finished request. Defaults stand in DESIGN's table of fields. */
export type RequestLog = Undefinable<
  Omit<Type.Static<typeof RequestLogSchema>, 'labels'> & { labels?: Record<string, string | undefined> }
>

/** What `journal.record` and `journal.append` take for the end of a stream: every field, null where unknown. */
export interface StreamCompletion {
  type: 'stream_completed'
  correlation_id: string
  /** Which attempt it completes. @default the newest stream with this correlation_id that has no completion yet */
  attempt?: number | null | undefined
  /** @default now */
  timestamp?: string | undefined
  input_tokens: number | null
  output_tokens: number | null
  cost_sats: number | null
  provider_cost_sats: number | null
  stream_duration_ms: number | null
  success: boolean
  error_status: number | null
  error_message: string | null
}

export type EventInput = RequestLog | StreamCompletion

interface Outcome {
  input_tokens: number | null
  output_tokens: number | null
  cost_sats: number | null
  provider_cost_sats: number | null
  error_status: number | null
  error_message: string | null
  /** Only where it was told, so that other lines are no longer for it. */
  attempt?: number
}

/** A `request_logged` as it stands in the journal: every default filled, every value safe. */
export interface RequestLogged extends Outcome {
  type: 'request_logged'
  correlation_id: string
  timestamp: string
  model: string
  provider: string | null
  policy: string | null
  streaming: boolean
  latency_ms: number
  success: boolean
  labels?: Record<string, string>
}

/** A `stream_completed` as it stands in the journal. `success` is null only on foreign lines. */
export interface StreamCompleted extends Outcome {
  type: 'stream_completed'
  correlation_id: string
  timestamp: string
  stream_duration_ms: number | null
  success: boolean | null
}

export type JournalEvent = RequestLogged | StreamCompleted
