import { expect } from 'vitest'
import type { RequestLogged, StreamCompleted } from '../../src/events/event-types.js'
import type { BatchItem, RejectedLine } from '../../src/events/place.js'

/** A row of a projection, by the names of its columns. Booleans are booleans, labels an object. */
export type Row = Record<string, unknown>
/** The rows of every projection, in an order that doesn't depend on the store. */
export type Tables = Record<string, Row[]>

interface Completion {
  segment_id: number
  byte_offset: number
  event: StreamCompleted
}

/** What an event may leave out. */
const DETAILS = [
  'response_model',
  'service_tier',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'cost_usd',
  'provider_cost_usd',
] as const

const OUTCOME = [
  'input_tokens',
  'output_tokens',
  'provider_cost_sats',
  'stream_duration_ms',
  'error_status',
  'error_message',
] as const

/**
 * What a store should hold after some lines, in plain objects: the rules of journal/README.md in the plainest way. It
 * shares no code with the folds. Latencies are below 64 ms, where a bucket is a millisecond; costs are quarters.
 */
export class Model {
  readonly #requests: Row[] = []
  #held: Completion[] = []
  readonly #superseded: Row[] = []
  readonly #rejected: RejectedLine[] = []
  readonly #segments = new Map<number, Row>()
  readonly #counters = new Map<string, Row>()
  readonly #latencyCounters = new Map<string, Row>()

  /** Projects one line more. */
  add(item: BatchItem): void {
    const segment = rowAt(this.#segments, { id: item.segmentId }, ['lines', 'repeated', 'ambiguous'])
    grow(segment, 'lines', 1)
    const { event, segmentId, byteOffset } = item
    if (event === null) this.#rejected.push(item)
    else if (event.type === 'request_logged') this.#log(event, segmentId, byteOffset)
    else if (event.type === 'stream_completed') {
      this.#complete({ segment_id: segmentId, byte_offset: byteOffset, event })
    }
  }

  /** @param labels the names of the labels that roll-ups are kept by. */
  tables(labels: readonly string[]): Tables {
    return {
      requests: this.#requests,
      held: this.#held.toSorted(byPlace).map(({ event, ...place }) => {
        const { type, timestamp, ...completion } = event
        return { ...place, ...detailsOf(event), ...completion, attempt: event.attempt ?? null }
      }),
      superseded: this.#superseded.toSorted(byPlace),
      rejected: this.#rejected
        .map(({ segmentId, byteOffset, event, ...line }) => ({
          segment_id: segmentId,
          byte_offset: byteOffset,
          ...line,
        }))
        .sort(byPlace),
      segments: [...this.#segments.values()].sort((a, b) => Number(a['id']) - Number(b['id'])),
      ratios: ratiosOf(this.#requests),
      rollups: rollupsOf(this.#requests, labels),
      totals: totalsOf(this.#requests, labels),
      counters: sorted([...this.#counters.values()]),
      latency_counters: sorted([...this.#latencyCounters.values()]),
    }
  }

  #log(event: RequestLogged, segment_id: number, byte_offset: number): void {
    const { type, labels = null, ...fields } = event
    const attempt = event.attempt ?? null
    const completed = { stream_duration_ms: null, completed_segment_id: null, completed_byte_offset: null }
    const id = this.#requests.length + 1
    const row: Row = { id, ...fields, attempt, labels, segment_id, byte_offset, ...completed }
    setDetails(row, event)
    this.#requests.push(row)
    this.#count({}, row)
    const le_ms = event.latency_ms <= 50 ? 50 : 100
    grow(rowAt(this.#latencyCounters, { ...namesOf(row), le_ms }, ['requests']), 'requests', 1)
    const isOurs = ({ event: held }: Completion) =>
      held.correlation_id === event.correlation_id && [null, attempt].includes(held.attempt ?? null)
    const ours = this.#held.filter(isOurs).sort(byPlace)
    this.#held = this.#held.filter((held) => !isOurs(held))
    for (const completion of ours) this.#change(row, completion)
  }

  #complete(completion: Completion): void {
    const { correlation_id, attempt } = completion.event
    const sharing = this.#requests.filter((row) => row['correlation_id'] === correlation_id)
    const open = sharing.filter((row) => row['streaming'] === true && row['completed_segment_id'] === null)
    const row =
      attempt === undefined
        ? (open.at(-1) ?? sharing.at(-1))
        : sharing.findLast((other) => other['attempt'] === attempt)
    if (attempt === undefined && open.length > 1) grow(this.#segment(completion), 'ambiguous', 1)
    if (row === undefined) this.#held.push(completion)
    else this.#change(row, completion)
  }

  #change(row: Row, completion: Completion): void {
    const { segment_id, byte_offset, event } = completion
    const before = { ...row }
    if (row['completed_segment_id'] !== null) {
      grow(this.#segment(completion), 'repeated', 1)
      this.#superseded.push({
        segment_id: row['completed_segment_id'],
        byte_offset: row['completed_byte_offset'],
        request_id: row['id'],
        success: row['success'],
      })
    }
    for (const column of OUTCOME) row[column] = event[column]
    setDetails(row, event)
    if (event.success !== null) row['success'] = event.success
    row['completed_segment_id'] = segment_id
    row['completed_byte_offset'] = byte_offset
    this.#count(before, row)
  }

  #segment({ segment_id }: Completion): Row {
    return rowAt(this.#segments, { id: segment_id }, [])
  }

  /** Counters grow by what a change adds; what it takes back grows a counter of its own. */
  #count(before: Row, after: Row): void {
    const counts = ['failures', 'unpriced', 'input_tokens', 'output_tokens', 'unpriced_usd', ...PARTS_OF_SUMS]
    const costs = [
      ['cost_sats', 'cost_nanosats'],
      ['cost_usd', 'cost_nanousd'],
    ] as const
    const corrected = [...counts, ...costs.flat()]
    const names = ['requests', 'latency_ms', ...corrected, ...corrected.map((name) => `corrected_${name}`)]
    const counter = rowAt(this.#counters, namesOf(after), names)
    const [was, is] = [before['id'] === undefined ? {} : sumsOf(before), sumsOf(after)]
    const change = (name: string) => Number(is[name]) - Number(was[name] ?? 0)
    const add = (name: string, isLess: boolean) =>
      grow(counter, isLess ? `corrected_${name}` : name, isLess ? -change(name) : change(name))
    for (const name of ['requests', 'latency_ms']) grow(counter, name, change(name))
    for (const name of counts) add(name, change(name) < 0)
    for (const [whole, rest] of costs) {
      const isCheaper = change(whole) * 1e9 + change(rest) < 0
      for (const name of [whole, rest]) add(name, isCheaper)
    }
  }
}

function detailsOf(event: RequestLogged | StreamCompleted): Row {
  return Object.fromEntries(DETAILS.map((name) => [name, event[name] ?? null]))
}

/** Details and cost, which is what was logged, or else what the provider reported; there are no prices here. */
function setDetails(row: Row, event: RequestLogged | StreamCompleted): void {
  const [logged, provided] = [event.cost_sats, event.provider_cost_sats]
  const source = logged !== null ? 'logged' : provided !== null ? 'provider' : null
  const cost = { cost_sats: logged ?? provided, cost_source: source, cost_currency: source && 'sats' }
  Object.assign(row, detailsOf(event), cost, { price_segment_id: null, price_byte_offset: null })
}

/** The row of a key, which gets a row of zeros if it has none. */
function rowAt(rows: Map<unknown, Row>, key: Row, counts: readonly string[]): Row {
  const text = JSON.stringify(key)
  const row = rows.get(text) ?? { ...key, ...Object.fromEntries(counts.map((name) => [name, 0])) }
  rows.set(text, row)
  return row
}

function grow(row: Row, name: string, by: number): void {
  row[name] = Number(row[name] ?? 0) + by + 0
}

function namesOf({ model, provider, policy }: Row): Row {
  return { model, provider, policy }
}

/** What one request adds to every sum that it counts for. */
function sumsOf(row: Row): Record<string, number> {
  const isNull = (name: string) => (row[name] ?? null) === null
  const count = (is: boolean) => Number(is)
  const [cost, dollars] = [Number(row['cost_sats'] ?? 0), Number(row['cost_usd'] ?? 0)]
  const [isFailed, isStream] = [row['success'] === false, row['streaming'] === true]
  const isEnded = ['completed_segment_id', 'input_tokens', 'output_tokens'].some((name) => !isNull(name))
  return {
    requests: 1,
    failures: count(isFailed),
    streams: count(isStream),
    failed_streams: count(isFailed && isStream),
    unpriced: count(isNull('cost_sats')),
    input_tokens: Number(row['input_tokens'] ?? 0),
    output_tokens: Number(row['output_tokens'] ?? 0),
    cost_sats: Math.trunc(cost) + 0,
    cost_nanosats: (cost % 1) * 1e9 + 0,
    latency_ms: Number(row['latency_ms']),
    unpriced_failures: count(isNull('cost_sats') && isFailed),
    unknown_input_tokens: count(isNull('input_tokens')),
    unknown_output_tokens: count(isNull('output_tokens')),
    unended_streams: count(isStream && !isFailed && !isEnded),
    unpriced_usd: count(isNull('cost_usd')),
    unpriced_usd_failures: count(isNull('cost_usd') && isFailed),
    cost_usd: Math.trunc(dollars) + 0,
    cost_nanousd: (dollars % 1) * 1e9 + 0,
    ...Object.fromEntries(PARTS_OF_SUMS.map((name) => [name, Number(row[name] ?? 0)])),
    retries: count(Number(row['attempt'] ?? 0) > 0),
    inconsistent: count(isInconsistent(row)),
  }
}

const PARTS_OF_SUMS = ['cache_read_input_tokens', 'cache_creation_input_tokens', 'reasoning_output_tokens']

/** Whether a part of the tokens is larger than what it is a part of. */
function isInconsistent(row: Row): boolean {
  const wholes: Row = {
    cache_read_input_tokens: row['input_tokens'],
    cache_creation_input_tokens: row['input_tokens'],
    cache_creation_1h_input_tokens: row['cache_creation_input_tokens'] ?? row['input_tokens'],
    audio_input_tokens: row['input_tokens'],
    image_input_tokens: row['input_tokens'],
    reasoning_output_tokens: row['output_tokens'],
    audio_output_tokens: row['output_tokens'],
  }
  const isKnown = (value: unknown) => value !== null && value !== undefined
  return Object.entries(wholes).some(
    ([part, whole]) => isKnown(row[part]) && isKnown(whole) && Number(row[part]) > Number(whole),
  )
}

function ratiosOf(requests: readonly Row[]): Row[] {
  const policies = new Map<unknown, number[]>()
  for (const { policy, success, input_tokens, output_tokens } of requests) {
    if (policy === null || success === false || output_tokens === null || !input_tokens) continue
    const millionths = Math.round((Number(output_tokens) / Number(input_tokens)) * 1e6)
    policies.set(policy, [...(policies.get(policy) ?? []), millionths])
  }
  const ratios = [...policies].map(([policy, samples]) => ({
    policy,
    avg_ratio: samples.reduce((sum, one) => sum + one, 0) / 1e6 / samples.length,
    sample_count: samples.length,
  }))
  // PostgreSQL divides exactly, and SQLite divides floating-point numbers: the last digit may differ.
  return sorted(ratios).map((row) => ({ ...row, avg_ratio: expect.closeTo(Number(row['avg_ratio']), 9) }))
}

const GRAINS = [
  { grain: 'hour', length: 13 },
  { grain: 'day', length: 10 },
] as const

/** The labels of a request that roll-ups are kept by. */
function keptLabels(row: Row, labels: readonly string[]): Row {
  const own = (row['labels'] ?? {}) as Row
  const kept = labels.filter((name) => Object.hasOwn(own, name))
  return Object.fromEntries(kept.map((name) => [name, own[name]]))
}

function rollupsOf(requests: readonly Row[], labels: readonly string[]): Row[] {
  const rollups = new Map<string, Row>()
  for (const row of requests) {
    for (const { grain, length } of GRAINS) {
      const period = String(row['timestamp']).slice(0, length)
      addTo(rollups, { grain, period, ...namesOf(row), labels: keptLabels(row, labels) }, row)
    }
  }
  return sorted([...rollups.values()])
}

function totalsOf(requests: readonly Row[], labels: readonly string[]): Row[] {
  const totals = new Map<string, Row>()
  for (const row of requests) {
    for (const { grain, length } of GRAINS) {
      const period = String(row['timestamp']).slice(0, length)
      const kept = keptLabels(row, labels)
      const names: [string, unknown][] = [
        ...Object.entries(namesOf(row)),
        ...labels.map((label): [string, unknown] => [`label:${label}`, kept[label] ?? null]),
      ]
      addTo(totals, { grain, period, grouped_by: '', name: null }, row)
      if (grain === 'hour') continue
      for (const [grouped_by, name] of names) addTo(totals, { grain, period, grouped_by, name }, row)
    }
  }
  return sorted([...totals.values()])
}

function addTo(rollups: Map<string, Row>, key: Row, request: Row): void {
  const rollup = rowAt(rollups, key, [])
  for (const [name, value] of Object.entries(sumsOf(request))) grow(rollup, name, value)
  rollup['latencies'] ??= {}
  grow(rollup['latencies'] as Row, String(request['latency_ms']), 1)
}

/** Rows in an order that depends on nothing but what they hold first: their key. */
export function sorted(rows: readonly Row[]): Row[] {
  const texts = new Map(rows.map((row) => [row, JSON.stringify(Object.values(row))]))
  return rows.toSorted((a, b) => (String(texts.get(a)) < String(texts.get(b)) ? -1 : 1))
}

function byPlace(a: Row | Completion, b: Row | Completion): number {
  return (
    Number(a['segment_id']) - Number(b['segment_id']) || Number(a['byte_offset']) - Number(b['byte_offset'])
  )
}
