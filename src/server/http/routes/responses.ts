import { Type } from '../typebox.js'

// The schemas of the answers, for /openapi.json. They only document: nothing checks answers against
// them while the server runs.

const Nullable = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()])

const unknown = Type.Optional(Type.Integer({ description: 'Only with unknown=true.' }))
const inDollars = Type.Optional(Type.Integer({ description: 'Only with unknown=true or currency=usd.' }))
const Counts = Type.Object({
  total: Type.Integer(),
  success: Type.Integer(),
  error: Type.Integer(),
  streaming: Type.Integer(),
  unpriced: Type.Optional(
    Type.Integer({ description: 'Only with unpriced=true, unknown=true or currency=sats.' }),
  ),
  unpriced_error: unknown,
  unknown_input_tokens: unknown,
  unknown_output_tokens: unknown,
  open: unknown,
  unfinished: unknown,
  unpriced_usd: inDollars,
  unpriced_usd_error: inDollars,
  retries: unknown,
  inconsistent: unknown,
})
const Costs = Type.Object(
  {
    total_cost_sats: Type.Number(),
    total_input_tokens: Type.Integer(),
    total_output_tokens: Type.Integer(),
    total_cost_usd: Type.Optional(Type.Number({ description: 'Only with unknown=true or currency=usd.' })),
    total_cache_read_input_tokens: unknown,
    total_cache_creation_input_tokens: unknown,
    total_reasoning_output_tokens: unknown,
  },
  {
    description:
      'Costs count to the billionth of a satoshi or dollar; one request counts for at most 10^12 of each.',
  },
)
const percentile = Type.Optional(Nullable(Type.Number()))
const Performance = Type.Object({
  avg_latency_ms: Type.Number(),
  p50_latency_ms: percentile,
  p95_latency_ms: percentile,
  p99_latency_ms: percentile,
})
const SECTION = { counts: Counts, costs: Costs, performance: Performance }
const Section = Type.Object(SECTION)
const groups = Type.Optional(Type.Record(Type.String(), Section))
const time = Type.String({ format: 'date-time' })
const WINDOW = { since: time, until: time, before: Type.Optional(time) }
const currencies = {
  currency: Type.Optional(
    Type.String({
      description: 'The currency to show; only with currency=, unknown=true or details=true.',
    }),
  ),
  currencies: Type.Optional(
    Type.Array(Type.String(), {
      description: 'The currencies in which the window has known costs, satoshis first.',
    }),
  ),
}
const timezone = Type.Optional(Type.String({ description: 'Only if it was asked for.' }))

const warnings = Type.Optional(
  Type.Array(Type.String(), { description: 'Only if there were unknown parameters: a sentence for each.' }),
)

const unknown_group = Type.Optional(
  Type.String({ description: 'What the group of requests without a name is called, if there is one.' }),
)

const other_groups = Type.Optional(
  Nullable(Type.Integer({ description: 'How many groups `other` adds up; null: too many to count.' })),
)

export const StatsAnswer = Type.Object({
  ...WINDOW,
  timezone,
  ...currencies,
  empty: Type.Optional(Type.Literal(true)),
  message: Type.Optional(Type.String()),
  ...SECTION,
  models: groups,
  tiers: groups,
  providers: groups,
  policies: groups,
  service_tiers: groups,
  error_statuses: groups,
  journals: groups,
  hours: groups,
  days: groups,
  labels: groups,
  unknown_group,
  other: Type.Optional(Section),
  other_groups,
  warnings,
})

const numbers = Type.Array(Type.Number())
const byName = Type.Record(Type.String(), numbers)
const latencies = Type.Array(Nullable(Type.Number()))

export const SeriesAnswer = Type.Object({
  ...WINDOW,
  timezone,
  ...currencies,
  bucket: Type.String(),
  by: Type.String(),
  times: Type.Array(time),
  requests: numbers,
  failures: numbers,
  unpriced: numbers,
  unpriced_error: Type.Optional(numbers),
  unknown_input_tokens: Type.Optional(numbers),
  unknown_output_tokens: Type.Optional(numbers),
  open: Type.Optional(numbers),
  unfinished: Type.Optional(numbers),
  unpriced_usd: Type.Optional(numbers),
  unpriced_usd_error: Type.Optional(numbers),
  retries: Type.Optional(numbers),
  inconsistent: Type.Optional(numbers),
  cache_read_input_tokens: Type.Optional(numbers),
  cache_creation_input_tokens: Type.Optional(numbers),
  reasoning_output_tokens: Type.Optional(numbers),
  input_tokens: numbers,
  output_tokens: numbers,
  p50_latency_ms: latencies,
  p95_latency_ms: latencies,
  p99_latency_ms: latencies,
  unknown_group,
  other_groups,
  cost_sats: byName,
  cost_usd: Type.Optional(byName),
  requests_by_name: Type.Optional(byName),
  unpriced_by_name: Type.Optional(byName),
  unpriced_usd_by_name: Type.Optional(byName),
})

const ENTRY = {
  id: Type.Integer(),
  timestamp: time,
  model: Type.String(),
  provider: Type.Optional(Type.String()),
  streaming: Type.Boolean(),
  success: Type.Boolean(),
  tokens: Type.Object({ input: Nullable(Type.Integer()), output: Nullable(Type.Integer()) }),
  cost: Type.Object({
    sats: Nullable(Type.Number()),
    usd: Type.Optional(Nullable(Type.Number({ description: 'Only with details=true or currency=.' }))),
  }),
  timing: Type.Object({ latency_ms: Type.Integer(), stream_duration_ms: Type.Optional(Type.Integer()) }),
  error: Type.Optional(Type.Object({ status: Nullable(Type.Integer()), message: Nullable(Type.String()) })),
}

const DETAILS = {
  correlation_id: Type.String(),
  attempt: Nullable(Type.Integer({ description: '0 for the first try, 1 for its first retry.' })),
  policy: Nullable(Type.String()),
  labels: Nullable(Type.Record(Type.String(), Type.String())),
  state: Type.Union([Type.Literal('open'), Type.Literal('unfinished'), Type.Literal('finished')], {
    description: 'open: a stream of the last hour whose end is not known; unfinished: an older one.',
  }),
}

export const RequestsAnswer = Type.Object({
  data: Type.Array(
    Type.Object(
      { ...ENTRY, ...Type.Partial(Type.Object(DETAILS)).properties },
      { description: 'The last five members are present only with details=true.' },
    ),
  ),
  page: Type.Optional(Type.Integer()),
  per_page: Type.Integer(),
  total: Type.Optional(Type.Integer()),
  total_pages: Type.Optional(Type.Integer()),
  next_cursor: Type.Optional(Type.String()),
  ...WINDOW,
  ...currencies,
  warnings,
})

export const NamesAnswer = Type.Object({
  dimension: Type.String(),
  names: Type.Array(
    Type.Object({
      name: Type.String(),
      requests: Type.Integer({
        description: 'How many requests had it on the newest days. Names are sorted by this.',
      }),
    }),
  ),
  has_more: Type.Boolean(),
})

const Place = Nullable(Type.Object({ segment: Type.String(), byte_offset: Type.Integer() }))
const Line = Type.Object({ text: Nullable(Type.String()), reason: Type.Optional(Type.String()) })

const tokens = Nullable(Type.Integer())
const decimal = Type.String({ description: 'A decimal number.' })

const Price = Type.Object(
  {
    provider: Nullable(Type.String()),
    model: Type.String(),
    valid_from: time,
    currency: Type.String(),
    per_million: Nullable(Type.Record(Type.String(), decimal)),
    per_request: Nullable(decimal),
    service_tier: Nullable(Type.String()),
    min_input_tokens: tokens,
    source: Nullable(Type.String()),
    segment: Type.String(),
    byte_offset: Type.Integer(),
  },
  { description: 'The price that the costs were computed with, and the place of its event.' },
)

const CostPart = Type.Object(
  { part: Type.String(), tokens: Type.Integer(), per_million: decimal, cost: decimal },
  {
    description:
      'Tokens with the same price. Those of a part without a price of its own are counted under the whole.',
  },
)

const Rate = Type.Object(
  {
    observed_at: time,
    usd_per_btc: decimal,
    source: Nullable(Type.String()),
    segment: Type.String(),
    byte_offset: Type.Integer(),
  },
  { description: 'The exchange rate between the two costs, and the place of its event.' },
)

const Unpriced = Type.Object(
  {
    currency: Type.String({ description: 'sats, usd or both' }),
    reason: Type.String({
      description:
        'no_price, price_not_in_force, no_rate, unknown_tokens, inconsistent_tokens, failed_without_usage or to_be_repriced',
    }),
    text: Type.String({ description: 'The reason as a sentence.' }),
    command: Nullable(Type.String({ description: 'The command that helps.' })),
  },
  { description: 'Why a cost is unknown.' },
)

export const RequestAnswer = Type.Object({
  ...ENTRY,
  ...DETAILS,
  response_model: Nullable(Type.String()),
  service_tier: Nullable(Type.String()),
  tokens: Type.Object({
    input: tokens,
    output: tokens,
    cache_read_input: tokens,
    cache_creation_input: tokens,
    cache_creation_1h_input: tokens,
    audio_input: tokens,
    image_input: tokens,
    reasoning_output: tokens,
    audio_output: tokens,
  }),
  provider_cost_sats: Nullable(Type.Number()),
  provider_cost_usd: Nullable(Type.Number()),
  cost_source: Nullable(Type.String({ description: 'logged, provider or price_book' })),
  cost_currency: Nullable(
    Type.String({
      description: 'The currency of the source’s figure; null if it has both, or no cost is known.',
    }),
  ),
  price: Nullable(Price),
  cost_parts: Nullable(Type.Array(CostPart)),
  exchange_rate: Nullable(Rate),
  unpriced: Nullable(Unpriced),
  journal: Type.Optional(
    Type.String({ description: 'The name of the journal’s host, or its id; only with PostgreSQL.' }),
  ),
  place: Place,
  completed_place: Place,
  line: Line,
  completed_line: Nullable(Line),
})

export const HealthAnswer = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('failing')]),
  problems: Type.Array(Type.String()),
  away_since: Type.Optional(
    Type.String({ description: 'Only while PostgreSQL doesn’t answer: when this server first noticed.' }),
  ),
  projector_running: Type.Optional(Nullable(Type.Boolean())),
  lag_seconds: percentile,
  lag_bytes: percentile,
  rejected_lines: percentile,
  disk_free_bytes: Type.Optional(Type.Number()),
  journal_disk_free_bytes: percentile,
  journals: Type.Optional(
    Type.Integer({ description: 'Only with PostgreSQL, like the following two members.' }),
  ),
  retired_journals: Type.Optional(
    Type.Integer({
      description: 'How many journals were not seen for a day. They don’t count as a problem.',
    }),
  ),
  journal_states: Type.Optional(
    Type.Array(
      Type.Object({
        journal_id: Type.String(),
        projector_running: Nullable(Type.Boolean()),
        last_seen: Nullable(time),
        lag_seconds: Nullable(Type.Number()),
      }),
    ),
  ),
})

const ERROR = {
  error: Type.Object({
    message: Type.String(),
    type: Type.Literal('arbstr_error'),
    code: Type.Integer({ description: 'The HTTP status.' }),
  }),
}

/** Any error of any route. */
export const ErrorAnswer = Type.Object(ERROR)

const EventFault = Type.Object({ index: Type.Integer(), message: Type.String() })

export const EventsAnswer = Type.Object({
  appended: Type.Integer({ description: 'How many events this request has appended.' }),
  repeated: Type.Integer({
    description: 'How many events were appended by an earlier request with the same key.',
  }),
  journal_id: Type.String(),
  correlation_ids: Type.Array(Nullable(Type.String()), {
    description: 'One for each event, in order; null for a price or a rate.',
  }),
  warnings: Type.Optional(
    Type.Array(EventFault, {
      description:
        'Members that no event has, such as mistyped ones: each is listed once, with the first event that has it. They are kept in the journal, and ignored.',
    }),
  ),
})

export const EventsErrorAnswer = Type.Object({
  ...ERROR,
  appended: Type.Optional(
    Type.Integer({ description: 'How many events, counted from the first, were written.' }),
  ),
  errors: Type.Optional(
    Type.Array(EventFault, {
      description: 'The first hundred of the events that were refused.',
    }),
  ),
})
