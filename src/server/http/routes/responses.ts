import type { TSchema } from 'typebox'
import { Type } from '../typebox.js'

// The schemas of the answers, for /openapi.json. They only document: nothing checks answers against
// them while the server runs.

const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const integer = (description: string) => Type.Integer({ description })
const text = (description: string) => Type.String({ description })

/** Gives each of these members the same schema. */
const each = <Name extends string, Schema extends TSchema>(schema: Schema, ...names: Name[]) =>
  Object.fromEntries(names.map((name) => [name, schema])) as Record<Name, Schema>

const unknown = Type.Optional(integer('Only with unknown=true.'))
const inDollars = 'Only with unknown=true or currency=usd.'
const Counts = Type.Object({
  ...each(Type.Integer(), 'total', 'success', 'error', 'streaming'),
  unpriced: Type.Optional(integer('Only with unpriced=true, unknown=true or currency=sats.')),
  ...each(unknown, 'unpriced_error', 'unknown_input_tokens', 'unknown_output_tokens', 'open', 'unfinished'),
  ...each(Type.Optional(integer(inDollars)), 'unpriced_usd', 'unpriced_usd_error'),
  ...each(unknown, 'retries', 'inconsistent'),
})
const Costs = Type.Object(
  {
    total_cost_sats: Type.Number(),
    ...each(Type.Integer(), 'total_input_tokens', 'total_output_tokens'),
    total_cost_usd: Type.Optional(Type.Number({ description: inDollars })),
    ...each(unknown, 'total_cache_read_input_tokens', 'total_cache_creation_input_tokens'),
    total_reasoning_output_tokens: unknown,
  },
  {
    description:
      'Costs count to the billionth of a satoshi or dollar; one request counts for at most 10^12 of each.',
  },
)
const nullableNumber = Nullable(Type.Number())
const Performance = Type.Object({
  avg_latency_ms: Type.Number(),
  ...each(Type.Optional(nullableNumber), 'p50_latency_ms', 'p95_latency_ms', 'p99_latency_ms'),
})
const SECTION = { counts: Counts, costs: Costs, performance: Performance }
const Section = Type.Object(SECTION)
const groups = Type.Optional(Type.Record(Type.String(), Section))
const time = Type.String({ format: 'date-time' })
const WINDOW = { since: time, until: time, before: Type.Optional(time) }
const currencies = {
  currency: Type.Optional(text('The currency to show; only with currency=, unknown=true or details=true.')),
  currencies: Type.Optional(
    Type.Array(Type.String(), {
      description: 'The currencies in which the window has known costs, satoshis first.',
    }),
  ),
}
const timezone = Type.Optional(text('Only if it was asked for.'))
const warnings = Type.Optional(
  Type.Array(Type.String(), { description: 'Only if there were unknown parameters: a sentence for each.' }),
)
const unknown_group = Type.Optional(
  text('What the group of requests without a name is called, if there is one.'),
)
const other_groups = Type.Optional(
  Nullable(integer('How many groups `other` adds up; null: too many to count.')),
)

export const StatsAnswer = Type.Object({
  ...WINDOW,
  timezone,
  ...currencies,
  empty: Type.Optional(Type.Literal(true)),
  message: Type.Optional(Type.String()),
  ...SECTION,
  ...each(groups, 'models', 'tiers', 'providers', 'policies', 'service_tiers', 'error_statuses'),
  ...each(groups, 'journals', 'hours', 'days', 'labels'),
  unknown_group,
  other: Type.Optional(Section),
  other_groups,
  warnings,
})

const numbers = Type.Array(Type.Number())
const someNumbers = Type.Optional(numbers)
const byName = Type.Record(Type.String(), numbers)

export const SeriesAnswer = Type.Object({
  ...WINDOW,
  timezone,
  ...currencies,
  bucket: Type.String(),
  by: Type.String(),
  times: Type.Array(time),
  ...each(numbers, 'requests', 'failures', 'unpriced'),
  ...each(someNumbers, 'unpriced_error', 'unknown_input_tokens', 'unknown_output_tokens', 'open'),
  ...each(someNumbers, 'unfinished', 'unpriced_usd', 'unpriced_usd_error', 'retries', 'inconsistent'),
  ...each(someNumbers, 'cache_read_input_tokens', 'cache_creation_input_tokens', 'reasoning_output_tokens'),
  ...each(numbers, 'input_tokens', 'output_tokens'),
  ...each(Type.Array(nullableNumber), 'p50_latency_ms', 'p95_latency_ms', 'p99_latency_ms'),
  unknown_group,
  other_groups,
  cost_sats: byName,
  ...each(Type.Optional(byName), 'cost_usd', 'requests_by_name', 'unpriced_by_name', 'unpriced_usd_by_name'),
})

const count = Nullable(Type.Integer())
const nullableText = Nullable(Type.String())

const ENTRY = {
  id: Type.Integer(),
  timestamp: time,
  model: Type.String(),
  provider: Type.Optional(Type.String()),
  streaming: Type.Boolean(),
  success: Type.Boolean(),
  tokens: Type.Object({ input: count, output: count }),
  cost: Type.Object({
    sats: nullableNumber,
    usd: Type.Optional(Nullable(Type.Number({ description: 'Only with details=true or currency=.' }))),
  }),
  timing: Type.Object({ latency_ms: Type.Integer(), stream_duration_ms: Type.Optional(Type.Integer()) }),
  error: Type.Optional(Type.Object({ status: count, message: nullableText })),
}

const DETAILS = {
  correlation_id: Type.String(),
  attempt: Nullable(integer('0 for the first try, 1 for its first retry.')),
  policy: nullableText,
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
  ...each(Type.Optional(Type.Integer()), 'total', 'total_pages'),
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
      requests: integer('How many requests had it on the newest days. Names are sorted by this.'),
    }),
  ),
  has_more: Type.Boolean(),
})

const PLACE = { segment: Type.String(), byte_offset: Type.Integer() }
const Place = Nullable(Type.Object(PLACE))
const Line = Type.Object({ text: nullableText, reason: Type.Optional(Type.String()) })

const decimal = text('A decimal number.')

const Price = Type.Object(
  {
    provider: nullableText,
    model: Type.String(),
    valid_from: time,
    currency: Type.String(),
    per_million: Nullable(Type.Record(Type.String(), decimal)),
    per_request: Nullable(decimal),
    service_tier: nullableText,
    min_input_tokens: count,
    source: nullableText,
    ...PLACE,
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
  { observed_at: time, usd_per_btc: decimal, source: nullableText, ...PLACE },
  { description: 'The exchange rate between the two costs, and the place of its event.' },
)

const Unpriced = Type.Object(
  {
    currency: text('sats, usd or both'),
    reason: text(
      'no_price, price_not_in_force, no_rate, unknown_tokens, inconsistent_tokens, failed_without_usage or to_be_repriced',
    ),
    text: text('The reason as a sentence.'),
    command: Nullable(text('The command that helps.')),
  },
  { description: 'Why a cost is unknown.' },
)

export const RequestAnswer = Type.Object({
  ...ENTRY,
  ...DETAILS,
  response_model: nullableText,
  service_tier: nullableText,
  tokens: Type.Object({
    ...each(count, 'input', 'output', 'cache_read_input', 'cache_creation_input', 'cache_creation_1h_input'),
    ...each(count, 'audio_input', 'image_input', 'reasoning_output', 'audio_output'),
  }),
  ...each(nullableNumber, 'provider_cost_sats', 'provider_cost_usd'),
  cost_source: Nullable(text('logged, provider or price_book')),
  cost_currency: Nullable(
    text('The currency of the source’s figure; null if it has both, or no cost is known.'),
  ),
  price: Nullable(Price),
  cost_parts: Nullable(Type.Array(CostPart)),
  exchange_rate: Nullable(Rate),
  unpriced: Nullable(Unpriced),
  journal: Type.Optional(text('The name of the journal’s host, or its id; only with PostgreSQL.')),
  place: Place,
  completed_place: Place,
  line: Line,
  completed_line: Nullable(Line),
})

const measure = Type.Optional(nullableNumber)

export const HealthAnswer = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('failing')]),
  problems: Type.Array(Type.String()),
  away_since: Type.Optional(text('Only while PostgreSQL doesn’t answer: when this server first noticed.')),
  projector_running: Type.Optional(Nullable(Type.Boolean())),
  ...each(measure, 'lag_seconds', 'lag_bytes', 'rejected_lines'),
  disk_free_bytes: Type.Optional(Type.Number()),
  journal_disk_free_bytes: measure,
  journals: Type.Optional(integer('Only with PostgreSQL, like the following two members.')),
  retired_journals: Type.Optional(
    integer('How many journals were not seen for a day. They don’t count as a problem.'),
  ),
  journal_states: Type.Optional(
    Type.Array(
      Type.Object({
        journal_id: Type.String(),
        projector_running: Nullable(Type.Boolean()),
        last_seen: Nullable(time),
        lag_seconds: nullableNumber,
      }),
    ),
  ),
})

const ERROR = {
  error: Type.Object({
    message: Type.String(),
    type: Type.Literal('arbstr_error'),
    code: integer('The HTTP status.'),
  }),
}

/** Any error of any route. */
export const ErrorAnswer = Type.Object(ERROR)

const EventFault = Type.Object({ index: Type.Integer(), message: Type.String() })

export const EventsAnswer = Type.Object({
  appended: integer('How many events this request has appended.'),
  repeated: integer('How many events were appended by an earlier request with the same key.'),
  journal_id: Type.String(),
  correlation_ids: Type.Array(nullableText, {
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
  appended: Type.Optional(integer('How many events, counted from the first, were written.')),
  errors: Type.Optional(
    Type.Array(EventFault, { description: 'The first hundred of the events that were refused.' }),
  ),
})
