import type { Static, TObject, TProperties } from 'typebox'
import {
  CALENDAR_RANGES,
  type Currency,
  RANGES,
  type RequestFilter,
  VALUE_FILTERS,
  type ValueFilters,
} from '../../../queries/index.js'
import { LABEL_PREFIX } from '../query-string.js'
import { Type } from '../typebox.js'

const MAX_UINT32 = 4_294_967_295

const flag = (description: string) => Type.Optional(Type.Boolean({ description }))
const text = (description: string) => Type.Optional(Type.String({ description }))
const filledText = (description: string) => Type.Optional(Type.String({ description, minLength: 1 }))
const count = (minimum: number, maximum: number, description: string, others: { default?: number } = {}) =>
  Type.Optional(Type.Integer({ minimum, maximum, ...others, description }))

// Texts that the queries themselves check are plain strings here: their errors come after those of
// the query string, in an order of their own.

const WINDOW = {
  since: text('Start, inclusive: RFC 3339 with seconds and an offset. Overrides `range`.'),
  range: text(
    `Start before now: ${Object.keys(RANGES).join(', ')}; or a day or month of \`timezone\`: ${CALENDAR_RANGES.join(', ')}, or one by its date, as 2026-10 or 2026-10-31. The default is last_7d.`,
  ),
  until: text('End, inclusive: RFC 3339 with seconds and an offset. The default is now.'),
  timezone: text(
    'A zone of the IANA database, such as Europe/Berlin: days, hours and months are those of its clocks. The default is UTC.',
  ),
  before: text('End, exclusive, instead of `until`: windows that follow one another have each request once.'),
}

const NAMES = {
  model: text('The whole name, in any ASCII case. A model that no request ever had is 404.'),
  provider: text('The whole name, in any ASCII case. A provider that no request ever had is 404.'),
}

const FILTERS = {
  policy: filledText('The whole name, exactly.'),
  without_provider: flag('Only requests that have no provider. Together with `provider` it is 400.'),
  without_policy: flag('Only requests that have no policy. Together with `policy` it is 400.'),
  without_label: filledText(
    'Only requests without a label of this name. Together with `label:<name>` it is 400.',
  ),
  journal: filledText(
    'Only requests of one journal: its id, or the name of its host. An unknown one is 404.',
  ),
  correlation_id: filledText('Exactly.'),
  success: flag('Only requests that succeeded, or that failed.'),
  streaming: flag('Only streams, or none.'),
  open: flag('Only streams of the last hour whose end is not known, or all others.'),
  unfinished: flag('Only streams from before the last hour whose end is not known, or all others.'),
  ...valueParameters(),
  currency: text(
    'sats or usd: the currency of the answer and of `min_cost`. The default is the one in which the window has known costs; sats if it has both.',
  ),
}

function valueParameters() {
  const filters = Object.values(VALUE_FILTERS).map(({ parameter, about }) => {
    const alone = parameter === 'unpriced' ? '; true is the same as both' : ''
    return [parameter, text(`Only requests ${about}${alone}.`)] as const
  })
  return Object.fromEntries(filters)
}

/** The parameters of `/healthz`. */
export const HealthQuery = Type.Object({
  live: text(
    'Only whether this process serves, whatever journal, database and projector do; `false` is the same as leaving it out.',
  ),
})

const UNKNOWN = {
  unknown: flag(
    'Adds how many requests have no known cost (and failed), or unknown tokens, are retries or inconsistent, how many streams are open or unfinished, costs in dollars, parts of the tokens, and which currencies the window has costs in.',
  ),
}

const LABELS = { patternProperties: { [`^${LABEL_PREFIX}.`]: Type.String({ minLength: 1 }) } }
const STRICT = { additionalProperties: false }

/** A query string that may have label filters; parameters are checked in this order. */
const query = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, { ...LABELS, ...STRICT })

/**
 * The same, with unknown parameters, which are ignored with a warning: the contract wants it so.
 */
const lenientQuery = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, LABELS)

export const StatsQuery = lenientQuery({
  percentiles: flag('Adds p50, p95 and p99 of the latency to each performance section.'),
  ...UNKNOWN,
  ...FILTERS,
  unpriced: text(
    `true adds the number of requests whose cost is unknown to each counts section; a currency, or both: only requests ${VALUE_FILTERS.unpricedIn.about}.`,
  ),
  ...WINDOW,
  ...NAMES,
  group_by: text(
    'Adds a section for each group: model, tier, provider, policy, service_tier, error_status, journal, hour, day, label:<name>.',
  ),
  limit: count(
    1,
    20_000,
    'The most groups, those with the most requests; the rest is one, `other`. More than 20,000 are refused.',
  ),
})

export const SeriesQuery = query({
  ...UNKNOWN,
  ...FILTERS,
  ...WINDOW,
  ...NAMES,
  by: text(
    'Whose costs are told apart: model, provider, policy, tier, service_tier, error_status, journal or label:<name>. The default is model.',
  ),
  bucket: text('minute, hour or day. The default depends on the length of the window.'),
  limit: count(
    1,
    100,
    'The most names, those with the most requests; the rest is `other`. The default is the 8 with the largest costs or refunds.',
  ),
})

export const RequestsQuery = lenientQuery({
  page: count(0, MAX_UINT32, 'From 1; 0 is 1.', { default: 1 }),
  per_page: count(0, MAX_UINT32, 'Cut to 1..100.', { default: 20 }),
  details: flag('Adds the cost in dollars, correlation_id, attempt, policy, labels and state to each entry.'),
  ...FILTERS,
  ...WINDOW,
  ...NAMES,
  sort: text('timestamp, cost_sats or latency_ms; with `currency` also cost_usd. The default is timestamp.'),
  order: text('asc or desc, in any case. The default is desc.'),
  cursor: filledText(
    'Pages by key, in constant time: `start`, then the `next_cursor` of each answer. Without `page` and totals.',
  ),
})

export const NamesQuery = Type.Object(
  {
    limit: count(1, 100, 'The most names.', { default: 20 }),
    dimension: text('model, provider, policy, journal or label:<name>. The default is model.'),
    prefix: text('The beginning of the names, in any ASCII case.'),
  },
  STRICT,
)

export const StreamQuery = query({
  last_event_id: count(
    0,
    Number.MAX_SAFE_INTEGER,
    'Begins after this request; the Last-Event-ID header overrides it.',
  ),
  ...FILTERS,
  ...NAMES,
})

/** The same over a database that many journals share. */
export const SharedStreamQuery = query({
  last_event_id: filledText('Begins after the event with this id; the Last-Event-ID header overrides it.'),
  ...FILTERS,
  ...NAMES,
})

/** The query string of a route without parameters. */
export const NoQuery = Type.Object({}, STRICT)

export const RequestParams = Type.Object({ id: Type.String({ description: "The request's id." }) })

/** The filters that the decoded query strings above share. */
type FilterQuery = Static<TObject<typeof FILTERS & typeof NAMES>> & { unpriced?: string | undefined }

/** The filter that a query string names, labels included. */
export function filterOf(query: FilterQuery): RequestFilter {
  const { model, provider, policy, journal, correlation_id: correlationId } = query
  const { success, streaming, open, unfinished } = query
  const {
    without_provider: withoutProvider,
    without_policy: withoutPolicy,
    without_label: withoutLabel,
  } = query
  const labels = Object.entries(query).flatMap(([name, value]) =>
    name.startsWith(LABEL_PREFIX) ? [[name.slice(LABEL_PREFIX.length), value]] : [],
  )
  const names = {
    model,
    provider,
    withoutProvider,
    policy,
    withoutPolicy,
    withoutLabel,
    journal,
    correlationId,
  }
  const currency = query.currency as Currency | undefined
  const filter = { ...names, currency, success, streaming, open, unfinished, ...valuesOf(query) }
  return labels.length === 0 ? filter : { ...filter, labels: Object.fromEntries(labels) }
}

function valuesOf(query: Readonly<Record<string, unknown>>): ValueFilters {
  const given = Object.entries(VALUE_FILTERS).map(([name, { parameter }]) => [name, query[parameter]])
  const values: ValueFilters = Object.fromEntries(given)
  return query['unpriced'] === 'true' ? { ...values, unpricedIn: 'both' } : values
}
