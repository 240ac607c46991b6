import { LATENCY_BOUNDS_MS } from '../../folds/sums/counters.js'
import type { JournalCounts, SharedJournal } from '../../maintenance/other-journals.js'
import type { StatusReport } from '../../maintenance/status.js'
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
  journals: readonly (SharedJournal & ProjectedCounts)[]
  databaseBytes: number
}

/** Counts of segments that weren't pruned. */
export type ProjectedCounts = JournalCounts & Pick<SharedJournal, 'rejected_lines'>

/** Figures of a database in a file. */
export interface FileFigures {
  is: 'file'
  counts: ProjectedCounts
  /** Whether a projector, a replay or a prune holds the database. */
  isProjectorUp: boolean
  /** Null if the journal can't be read, or isn't the one that was projected. */
  journal: Pick<StatusReport, 'lag_seconds' | 'lag_bytes' | 'problems' | 'journal' | 'database'> | null
  databaseBytes: number
  walBytes: number
}

/** How many characters of a model's, provider's or policy's name are kept. */
const LABEL_LENGTH = 100
/** The label for no provider or policy: to Prometheus, an empty value is no label at all. */
const UNKNOWN = 'unknown'
/** The label in every dimension for the combinations beyond the limit. */
const OTHER = 'other'

/** The names of the sums of costs. */
const IN_BILLIONTHS = /_nano(sats|usd)$/

const MILLI = 3
const NANO = 9

/**
 * The name and the help of each sum's metric, and the help of the metric that counts what was taken
 * back from the sum.
 */
const COUNTER_METRICS = {
  requests: ['requests_total', 'Requests, each counted once.', null],
  failures: [
    'request_failures_total',
    'Requests that failed, at once or when their stream ended.',
    'Requests that were counted as failures, but whose stream then ended successfully.',
  ],
  unpriced: [
    'unpriced_requests_total',
    'Requests whose cost in satoshis was unknown when they were logged (as for most streams), or became unknown later.',
    'Requests that were counted as unpriced in satoshis, but whose cost became known when their stream ended or a price was set.',
  ],
  input_tokens: [
    'input_tokens_total',
    'Tokens of prompts.',
    'Tokens of prompts that were counted, and subtracted when the stream ended.',
  ],
  output_tokens: [
    'output_tokens_total',
    'Tokens of answers.',
    'Tokens of answers that were counted, and subtracted when the stream ended.',
  ],
  cost_nanosats: [
    'cost_sats_total',
    'Known cost of requests in satoshis.',
    'Cost in satoshis that was counted, and subtracted when the stream ended or a price was set.',
  ],
  unpriced_usd: [
    'unpriced_usd_requests_total',
    'Requests whose cost in US dollars was unknown when they were logged (as for most streams), or became unknown later.',
    'Requests that were counted as unpriced in US dollars, but whose cost became known when their stream ended or a price was set.',
  ],
  cost_nanousd: [
    'cost_usd_total',
    'Known cost of requests in US dollars.',
    'Cost in US dollars that was counted, and subtracted when the stream ended or a price was set.',
  ],
  cache_read_input_tokens: [
    'cache_read_input_tokens_total',
    'Tokens of prompts that were read from a cache; input_tokens_total includes them.',
    'Tokens read from a cache that were counted, and subtracted when the stream ended.',
  ],
  cache_creation_input_tokens: [
    'cache_creation_input_tokens_total',
    'Tokens of prompts that were written to a cache; input_tokens_total includes them.',
    'Tokens written to a cache that were counted, and subtracted when the stream ended.',
  ],
  reasoning_output_tokens: [
    'reasoning_output_tokens_total',
    'Tokens of answers that are reasoning; output_tokens_total includes them.',
    'Tokens of reasoning that were counted, and subtracted when the stream ended.',
  ],
} satisfies Record<string, [name: string, help: string, corrected: string | null]>

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
  const names = Object.keys(COUNTER_METRICS) as (keyof typeof COUNTER_METRICS)[]
  const family = (sum: Exclude<keyof CounterSums, 'latencies'>, name: string, help: string): MetricFamily => {
    const value = (units: bigint) => (IN_BILLIONTHS.test(sum) ? exactDecimal(units, NANO) : units)
    const samples = series.map(({ labels, sums }) => ({ labels, value: value(sums[sum]) }))
    return { name, type: 'counter', help, samples }
  }
  const corrected = names.flatMap((sum) => {
    const [name, , help] = COUNTER_METRICS[sum]
    return sum === 'requests' || help === null ? [] : [family(`corrected_${sum}`, `corrected_${name}`, help)]
  })
  return [...names.map((sum) => family(sum, COUNTER_METRICS[sum][0], COUNTER_METRICS[sum][1])), ...corrected]
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
  const ofEach: GaugeOf<SharedFigures['journals'][number]> = (name, help, figureOf) => {
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
    ...countGauges(ofEach),
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

type GaugeOf<Figures> = (
  name: string,
  help: string,
  figureOf: (figures: Figures) => number | boolean | null,
) => MetricFamily

function countGauges(of: GaugeOf<ProjectedCounts>): MetricFamily[] {
  const projected = 'Requests and completions projected from segments that were not pruned.'
  const rejected = "Lines that can't be projected, in segments that were not pruned."
  return [
    of('projected_events', projected, ({ events }) => events),
    of('rejected_lines', rejected, ({ rejected_lines }) => rejected_lines),
    of('late_lines', 'Lines added to a segment after a newer one had begun.', ({ late }) => late),
    of('unchecked_lines', 'Lines accepted without a checksum.', ({ unchecked }) => unchecked),
    of('held_completions', 'Completions that wait for their request.', ({ held }) => held),
  ]
}

function fileGauges({ journal, counts, ...input }: FileFigures): MetricFamily[] {
  const { isProjectorUp, databaseBytes, walBytes } = input
  return [
    ...(journal === null ? [] : journalGauges(journal)),
    gauge(
      'journal_readable',
      '0 if the journal is missing, unreadable, or not the one that was projected.',
      journal !== null,
    ),
    gauge('projector_up', '1 while a projector, a replay or a prune holds the database.', isProjectorUp),
    ...countGauges((name, help, figureOf) => gauge(name, help, figureOf(counts) ?? 0)),
    gauge('database_bytes', 'Size of the database file, without its write-ahead log.', databaseBytes),
    gauge('wal_bytes', 'Size of the write-ahead log of the database.', walBytes),
  ]
}

function journalGauges(report: NonNullable<FileFigures['journal']>): MetricFamily[] {
  const { segments } = report.journal
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
  const distrusted = segments.filter((segment) => segment.distrusted).length
  const toReprice = report.database?.to_reprice ?? 0
  return [
    gauge(
      'projection_lag_seconds',
      'How long the first line that is not projected has waited.',
      report.lag_seconds,
    ),
    gauge('projection_lag_bytes', 'Bytes of the journal that are not projected.', report.lag_bytes),
    gauge('journal_bytes', 'Size of all segments, archived ones as they are compressed.', bytes),
    gauge('segments', 'Segments of the journal.', segments.length),
    gauge(
      'distrusted_segments',
      'Segments that failed to sync and that nobody has checked since.',
      distrusted,
    ),
    gauge(
      'journal_problems',
      'Segments that are distrusted, truncated, missing, or left over from a prune.',
      report.problems.length,
    ),
    gauge('requests_to_reprice', 'Requests whose cost has to be computed again.', toReprice),
  ]
}

function gauge(name: string, help: string, value: number | boolean): MetricFamily {
  return { name, type: 'gauge', help, samples: [{ value: Number(value) }] }
}
