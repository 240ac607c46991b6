import { LATENCY_BOUNDS_MS } from '../../folds/sums/counters.js'
import type { JournalCounts, SharedJournal } from '../../maintenance/other-journals.js'
import { addCounters, type CounterSums, type RequestCounters } from '../../queries/sums/counters.js'
import { exactDecimal, formatExposition, type Labels, type MetricFamily, type Sample } from './exposition.js'

/** What a page of metrics is rendered from. It may be sent between threads. */
export interface MetricsInput {
  /** This program's version. */
  version: string
  requests: RequestCounters
  /** The figures of a database file, or of the journals that share a database in PostgreSQL. */
  projection: FileFigures | SharedFigures
}

/** Figures of a database in PostgreSQL. */
export interface SharedFigures {
  is: 'shared'
  journals: readonly JournalMetrics[]
  databaseBytes: number
}

/** What PostgreSQL knows about one journal. */
export interface JournalMetrics extends SharedJournal, JournalCounts {}

/** Figures of a database in a file. */
export interface FileFigures {
  is: 'file'
  counts: {
    /** Requests and completions. Like the other counts, it decreases when segments are pruned. */
    events: number
    rejected: number
    late: number
    unchecked: number
    held: number
  }
  /** Whether a projector, a replay or a prune holds the database. */
  isProjectorUp: boolean
  /** Null if the journal can't be read, or isn't the one that was projected. */
  journal: JournalFigures | null
  databaseBytes: number
  walBytes: number
}

export interface JournalFigures {
  lagSeconds: number
  lagBytes: number
  /** The size of all segments, archived ones as they are compressed. */
  bytes: number
  segments: number
  distrusted: number
  /** How many segments are distrusted, truncated or missing. */
  problems: number
  /** Stored requests that wait to be repriced. */
  toReprice: number
}

/** How many characters of a model's, provider's or policy's name are kept. */
const LABEL_LENGTH = 100
/** The label for no provider or policy: to Prometheus, an empty value is no label at all. */
const UNKNOWN = 'unknown'
/** The label in every dimension for the combinations beyond the limit. */
const OTHER = 'other'

const PROJECTED_EVENTS = 'Requests and completions projected from segments that were not pruned.'
const REJECTED_LINES = "Lines that can't be projected, in segments that were not pruned."
const LATE_LINES = 'Lines added to a segment after a newer one had begun.'
const UNCHECKED_LINES = 'Lines accepted without a checksum.'
const HELD_COMPLETIONS = 'Completions that wait for their request.'

/** The names of the sums of costs. */
const IN_BILLIONTHS = /_nano(sats|usd)$/

const MILLI = 3
const NANO = 9

/** The name and the help of each sum's metric. */
const COUNTER_METRICS = {
  requests: ['requests_total', 'Requests, each counted once.'],
  failures: ['request_failures_total', 'Requests that failed, at once or when their stream ended.'],
  unpriced: [
    'unpriced_requests_total',
    'Requests whose cost in satoshis was unknown when they were logged (as for most streams), or became unknown later.',
  ],
  input_tokens: ['input_tokens_total', 'Tokens of prompts.'],
  output_tokens: ['output_tokens_total', 'Tokens of answers.'],
  cost_nanosats: ['cost_sats_total', 'Known cost of requests in satoshis.'],
  unpriced_usd: [
    'unpriced_usd_requests_total',
    'Requests whose cost in US dollars was unknown when they were logged (as for most streams), or became unknown later.',
  ],
  cost_nanousd: ['cost_usd_total', 'Known cost of requests in US dollars.'],
  cache_read_input_tokens: [
    'cache_read_input_tokens_total',
    'Tokens of prompts that were read from a cache; input_tokens_total includes them.',
  ],
  cache_creation_input_tokens: [
    'cache_creation_input_tokens_total',
    'Tokens of prompts that were written to a cache; input_tokens_total includes them.',
  ],
  reasoning_output_tokens: [
    'reasoning_output_tokens_total',
    'Tokens of answers that are reasoning; output_tokens_total includes them.',
  ],
  corrected_failures: [
    'corrected_request_failures_total',
    'Requests that were counted as failures, but whose stream then ended successfully.',
  ],
  corrected_unpriced: [
    'corrected_unpriced_requests_total',
    'Requests that were counted as unpriced in satoshis, but whose cost became known when their stream ended or a price was set.',
  ],
  corrected_input_tokens: [
    'corrected_input_tokens_total',
    'Tokens of prompts that were counted, and subtracted when the stream ended.',
  ],
  corrected_output_tokens: [
    'corrected_output_tokens_total',
    'Tokens of answers that were counted, and subtracted when the stream ended.',
  ],
  corrected_cost_nanosats: [
    'corrected_cost_sats_total',
    'Cost in satoshis that was counted, and subtracted when the stream ended or a price was set.',
  ],
  corrected_unpriced_usd: [
    'corrected_unpriced_usd_requests_total',
    'Requests that were counted as unpriced in US dollars, but whose cost became known when their stream ended or a price was set.',
  ],
  corrected_cost_nanousd: [
    'corrected_cost_usd_total',
    'Cost in US dollars that was counted, and subtracted when the stream ended or a price was set.',
  ],
  corrected_cache_read_input_tokens: [
    'corrected_cache_read_input_tokens_total',
    'Tokens read from a cache that were counted, and subtracted when the stream ended.',
  ],
  corrected_cache_creation_input_tokens: [
    'corrected_cache_creation_input_tokens_total',
    'Tokens written to a cache that were counted, and subtracted when the stream ended.',
  ],
  corrected_reasoning_output_tokens: [
    'corrected_reasoning_output_tokens_total',
    'Tokens of reasoning that were counted, and subtracted when the stream ended.',
  ],
} satisfies Record<string, [name: string, help: string]>

/** Renders `GET /metrics`: the same from any process that reads the same database and journal. */
export function renderMetrics(input: MetricsInput): string {
  const families = [
    ...counterFamilies(mergeSeries(input.requests, ['model', 'provider', 'policy', 'journal'])),
    // Without the policy: a histogram has 15 samples for each series.
    latencyFamily(mergeSeries(input.requests, ['model', 'provider', 'journal'])),
    ...gaugeFamilies(input),
  ]
  return formatExposition(families.map((family) => ({ ...family, name: `request_journal_${family.name}` })))
}

interface Series {
  labels: Labels
  sums: CounterSums
}

/**
 * Adds up the series with the same labels: names that are equal once they are cut, or a model that
 * is really called "other". Otherwise one series would have two samples, and Prometheus would
 * refuse the page.
 */
function mergeSeries(
  { combinations, others }: RequestCounters,
  asked: readonly ('model' | 'provider' | 'policy' | 'journal')[],
): Series[] {
  // If there is only one journal, a label for it would only make the page longer.
  const hasJournals = combinations.some(({ journal }) => journal !== null)
  const dimensions = hasJournals ? asked : asked.filter((name) => name !== 'journal')
  const merged = new Map<string, Series>()
  const add = (value: (name: (typeof dimensions)[number]) => string, sums: CounterSums) => {
    const labels = Object.fromEntries(dimensions.map((name) => [name, value(name)]))
    const key = JSON.stringify(labels)
    const present = merged.get(key)
    merged.set(key, { labels, sums: present === undefined ? sums : addCounters(present.sums, sums) })
  }
  for (const counter of combinations) add((name) => labelValue(counter[name]), counter)
  if (others !== null) add(() => OTHER, others)
  return [...merged.values()]
}

function labelValue(value: string | null): string {
  if (value === null) return UNKNOWN
  // Cut by code point, so that no surrogate pair is split.
  return [...value.slice(0, 2 * LABEL_LENGTH)].slice(0, LABEL_LENGTH).join('')
}

function counterFamilies(series: readonly Series[]): MetricFamily[] {
  const sums = Object.keys(COUNTER_METRICS) as (keyof typeof COUNTER_METRICS)[]
  return sums.map((sum) => {
    const [name, help] = COUNTER_METRICS[sum]
    const value = (units: bigint) => (IN_BILLIONTHS.test(sum) ? exactDecimal(units, NANO) : units)
    const samples = series.map(({ labels, sums }) => ({ labels, value: value(sums[sum]) }))
    return { name, type: 'counter', help, samples }
  })
}

function latencyFamily(series: readonly Series[]): MetricFamily {
  return {
    name: 'request_latency_seconds',
    type: 'histogram',
    help: 'Latency of requests, failures included; that of a stream to its first byte.',
    samples: series.flatMap(latencySamples),
  }
}

function latencySamples({ labels, sums }: Series): Sample[] {
  let atMost = 0n
  const buckets = LATENCY_BOUNDS_MS.map((bound, index): Sample => {
    atMost += sums.latencies[index] ?? 0n
    const le = exactDecimal(BigInt(bound), MILLI)
    return { suffix: '_bucket', labels: { ...labels, le }, value: atMost }
  })
  return [
    ...buckets,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: sums.requests },
    { suffix: '_sum', labels, value: exactDecimal(sums.latency_ms, MILLI) },
    { suffix: '_count', labels, value: sums.requests },
  ]
}

function gaugeFamilies({ version, projection }: MetricsInput): MetricFamily[] {
  return [
    ...(projection.is === 'file' ? fileGauges(projection) : sharedGauges(projection)),
    {
      name: 'build_info',
      type: 'gauge',
      help: 'Always 1; the version of request-journal.',
      samples: [{ labels: { version }, value: 1 }],
    },
  ]
}

function sharedGauges({ journals, databaseBytes }: SharedFigures): MetricFamily[] {
  const ofEach = (
    name: string,
    help: string,
    figureOf: (journal: JournalMetrics) => number | boolean | null,
  ): MetricFamily => {
    const samples = journals.flatMap((journal) => {
      const value = figureOf(journal)
      const labels: Labels = journals.length > 1 ? { journal: journal.journal_id } : {}
      return value === null ? [] : [{ labels, value: Number(value) }]
    })
    return { name, type: 'gauge', help, samples }
  }
  return [
    ofEach(
      'projection_lag_seconds',
      'Age of the newest row of a journal, if the last commit did not reach the end of the journal.',
      ({ lag_seconds }) => lag_seconds,
    ),
    ofEach(
      'journal_last_seen_timestamp_seconds',
      "When a journal's projector last committed or connected.",
      ({ last_seen }) => (last_seen === null ? null : Date.parse(last_seen) / 1000),
    ),
    ofEach(
      'projector_up',
      '1 while a projector or a replay of the journal is connected.',
      ({ projector_running }) => projector_running,
    ),
    ofEach('projected_events', PROJECTED_EVENTS, ({ events }) => events),
    ofEach('rejected_lines', REJECTED_LINES, ({ rejected_lines }) => rejected_lines),
    ofEach('late_lines', LATE_LINES, ({ late }) => late),
    ofEach('unchecked_lines', UNCHECKED_LINES, ({ unchecked }) => unchecked),
    ofEach('held_completions', HELD_COMPLETIONS, ({ held }) => held),
    gauge('database_bytes', 'Size of the database, all schemas included.', databaseBytes),
    {
      name: 'journal_info',
      type: 'gauge',
      help: 'Always 1; the host of a journal, and the version of its projector.',
      samples: journals.map(({ journal_id, host, version }) => ({
        labels: { journal: journal_id, host: host ?? UNKNOWN, version: version ?? UNKNOWN },
        value: 1,
      })),
    },
  ]
}

function fileGauges({ journal, ...input }: FileFigures): MetricFamily[] {
  const { isProjectorUp, databaseBytes, walBytes } = input
  const { events, rejected, late, unchecked, held } = input.counts
  return [
    ...(journal === null ? [] : journalGauges(journal)),
    gauge(
      'journal_readable',
      '0 if the journal is missing, unreadable, or not the one that was projected.',
      journal !== null,
    ),
    gauge('projector_up', '1 while a projector, a replay or a prune holds the database.', isProjectorUp),
    gauge('projected_events', PROJECTED_EVENTS, events),
    gauge('rejected_lines', REJECTED_LINES, rejected),
    gauge('late_lines', LATE_LINES, late),
    gauge('unchecked_lines', UNCHECKED_LINES, unchecked),
    gauge('held_completions', HELD_COMPLETIONS, held),
    gauge('database_bytes', 'Size of the database file, without its write-ahead log.', databaseBytes),
    gauge('wal_bytes', 'Size of the write-ahead log of the database.', walBytes),
  ]
}

function journalGauges(journal: JournalFigures): MetricFamily[] {
  return [
    gauge(
      'projection_lag_seconds',
      'How long the first line that is not projected has waited.',
      journal.lagSeconds,
    ),
    gauge('projection_lag_bytes', 'Bytes of the journal that are not projected.', journal.lagBytes),
    gauge('journal_bytes', 'Size of all segments, archived ones as they are compressed.', journal.bytes),
    gauge('segments', 'Segments of the journal.', journal.segments),
    gauge(
      'distrusted_segments',
      'Segments that failed to sync and that nobody has checked since.',
      journal.distrusted,
    ),
    gauge(
      'journal_problems',
      'Segments that are distrusted, truncated, missing, or left over from a prune.',
      journal.problems,
    ),
    gauge('requests_to_reprice', 'Requests whose cost has to be computed again.', journal.toReprice),
  ]
}

function gauge(name: string, help: string, value: number | boolean): MetricFamily {
  return { name, type: 'gauge', help, samples: [{ value: Number(value) }] }
}
