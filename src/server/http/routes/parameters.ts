import type { Static, TObject, TProperties } from 'typebox'
import { CALENDAR_RANGES, RANGES, type RequestFilter, VALUE_FILTERS } from '../../../queries/index.js'
import { LABEL_PREFIX } from '../query-string.js'
import { Type } from '../typebox.js'

const MAX_UINT32 = 4_294_967_295

const flag = (description: string) => Type.Optional(Type.Boolean({ description }))
const text = (description: string) => Type.Optional(Type.String({ description }))
const filledText = (description: string) => Type.Optional(Type.String({ description, minLength: 1 }))
const count = (minimum: number, maximum: number, description: string, others: { default?: number } = {}) =>
  Type.Optional(Type.Integer({ minimum, maximum, ...others, description }))

// A parameter that the query functions check themselves is a plain string here. Its errors are
// reported after those of the query string, in the order that the contract prescribes.

const WINDOW = {
  since: text('Start, inclusive: RFC 3339 with seconds and an offset. Overrides `range`.'),
  range: text(
    `How long before now the window starts: ${Object.keys(RANGES).join(', ')}; or a day or month of \`timezone\`: ${CALENDAR_RANGES.join(', ')}, or a date such as 2026-10-31, 2026-10 or 2026. The default is last_7d.`,
  ),
  until: text('End, inclusive: RFC 3339 with seconds and an offset. The default is now.'),
  timezone: text(
    'The zone of days, hours and months, by its name in the IANA database, such as Europe/Berlin. The default is UTC.',
  ),
  before: text(
    'End, exclusive, instead of `until`: consecutive windows then count each request exactly once.',
  ),
}

const NAMES = {
  model: text('The whole name, in any ASCII case. If no request ever had it, the answer is 404.'),
  provider: text('The whole name, in any ASCII case. If no request ever had it, the answer is 404.'),
}

const FILTERS = {
  policy: filledText('The whole name, case-sensitive.'),
  without_provider: flag('Only requests without a provider. Together with `provider`, the answer is 400.'),
  without_policy: flag('Only requests without a policy. Together with `policy`, the answer is 400.'),
  without_label: filledText(
    'Only requests without a label of this name. Together with a filter on the same label, the answer is 400.',
  ),
  journal: filledText(
    'Only requests of one journal: its id, or the name of its host. If it is unknown, the answer is 404.',
  ),
  correlation_id: filledText('The whole id, case-sensitive.'),
  success: flag('true: only requests that succeeded; false: only requests that failed.'),
  streaming: flag('true: only streams; false: only requests that are not streams.'),
  open: flag(
    'true: only streams that began within the last hour and whose end is not known; false: all other requests.',
  ),
  unfinished: flag(
    'true: only streams that began before the last hour and whose end is not known; false: all other requests.',
  ),
  ...valueParameters(),
  currency: text(
    'sats or usd: the currency of the answer and of `min_cost`. The default is the one in which the window has known costs; sats if it has costs in both. Without this parameter an answer has only the costs in sats, which are 0 or null where all costs are in dollars: `currency=usd` adds those in dollars, as does `unknown=true` (or `details=true`).',
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
    'Reports only whether this process can answer, whatever the state of journal, database and projector; `false` is the same as leaving it out.',
  ),
})

const UNKNOWN = {
  unknown: flag(
    'Adds the numbers of requests without a known cost (and of those that failed), of requests with unknown tokens, of retries, of inconsistent requests, and of open and unfinished streams; also costs in dollars, parts of the tokens, and the currencies in which the window has costs.',
  ),
}

const LABELS = { patternProperties: { [`^${LABEL_PREFIX}.`]: Type.String({ minLength: 1 }) } }
const STRICT = { additionalProperties: false }

/** A query string that may have label filters. Its parameters are checked in this order. */
const query = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, { ...LABELS, ...STRICT })

/** The same, but unknown parameters are ignored with a warning, as the contract requires. */
const lenientQuery = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, LABELS)

export const StatsQuery = lenientQuery({
  percentiles: flag('Adds p50, p95 and p99 of the latency to each performance section.'),
  ...UNKNOWN,
  ...FILTERS,
  unpriced: text(
    `true adds to each counts section how many requests have no known cost; sats, usd or both: only requests ${VALUE_FILTERS.unpricedIn.about}.`,
  ),
  ...WINDOW,
  ...NAMES,
  group_by: text(
    'Adds a section for each group. Requests can be grouped by model, tier, provider, policy, service_tier, error_status, journal, hour, day or label:<name>. Groups by model ignore the filter model. Without a limit, every model of the database is listed, and of the tiers always local, standard and frontier, with zeros if they had no requests.',
  ),
  limit: count(
    1,
    20_000,
    'How many groups to list: those with the most requests, or as `sort` says. All others are added up as `other`. Without it, an answer with more than 20,000 groups is refused.',
  ),
  sort: text(
    'requests or cost: by what `limit` chooses the groups. Refunds count as costs of their size. The default is requests.',
  ),
})

export const SeriesQuery = query({
  ...UNKNOWN,
  ...FILTERS,
  ...WINDOW,
  ...NAMES,
  by: text(
    'What costs are grouped by: model, provider, policy, tier, service_tier, error_status, journal or label:<name>. The default is model.',
  ),
  bucket: text('minute, hour or day. The default depends on the length of the window.'),
  limit: count(
    1,
    100,
    'How many names to list: those with the most requests. All others are added up as `other`. By default, the 8 names with the largest costs or refunds are listed, and a ninth if it is the last.',
  ),
})

export const RequestsQuery = lenientQuery({
  page: count(0, MAX_UINT32, 'The number of the page, from 1; 0 counts as 1.', { default: 1 }),
  per_page: count(0, MAX_UINT32, 'How many requests a page has, 1 to 100; more count as 100, and 0 as 1.', {
    default: 20,
  }),
  details: flag('Adds the cost in dollars, correlation_id, attempt, policy, labels and state to each entry.'),
  ...FILTERS,
  ...WINDOW,
  ...NAMES,
  sort: text('timestamp, cost_sats or latency_ms; with `currency` also cost_usd. The default is timestamp.'),
  order: text('asc or desc, in any case. The default is desc.'),
  cursor: filledText(
    'Pages by key, in constant time: `start` for the first page, then the `next_cursor` of the previous answer. Such answers have no `page` and no totals.',
  ),
})

export const NamesQuery = Type.Object(
  {
    limit: count(1, 100, 'How many names to list.', { default: 20 }),
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

/** The same for a database that many journals share. */
export const SharedStreamQuery = query({
  last_event_id: filledText('Begins after the event with this id; the Last-Event-ID header overrides it.'),
  ...FILTERS,
  ...NAMES,
})

/** The query string of a route without parameters. */
export const NoQuery = Type.Object({}, STRICT)

export const RequestParams = Type.Object({ id: Type.String({ description: "The request's id." }) })

/** The filters that the decoded query strings above have in common. */
type FilterQuery = Static<TObject<typeof FILTERS & typeof NAMES>> & { unpriced?: string | undefined }

/** The member of a filter that each parameter sets. */
const MEMBERS = new Map(
  Object.keys({ ...FILTERS, ...NAMES }).map((name) => [name, name.replace(/_[a-z]/g, upperCase)]),
).set('unpriced', 'unpricedIn')

function upperCase(letter: string): string {
  return letter.slice(1).toUpperCase()
}

/** Returns the filter in a decoded query string, labels included. */
export function filterOf(query: FilterQuery): RequestFilter {
  const asked = query.unpriced === 'true' ? { ...query, unpriced: 'both' } : query
  const given = Object.entries(asked)
  const filter = given.flatMap(([name, value]) => (MEMBERS.has(name) ? [[MEMBERS.get(name), value]] : []))
  const labels = given.flatMap(([name, value]) =>
    name.startsWith(LABEL_PREFIX) ? [[name.slice(LABEL_PREFIX.length), value]] : [],
  )
  if (labels.length > 0) filter.push(['labels', Object.fromEntries(labels)])
  return Object.fromEntries(filter)
}
