import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, gunzipSync } from 'node:zlib'
import SQLite from 'better-sqlite3'
import { findRollupDifferences } from './rollup-checker.js'

/** Some lines of a segment, by the offsets of its bytes. */
export interface Arrival {
  segment: string
  from: number
  to: number
}

/**
 * Compares a database with the journal it was projected from. It shares no code with the program: it reads the files,
 * applies the format's specification in the plainest way, folds what it finds, and says every difference.
 *
 * @param arrivals the order in which lines were projected, where some were late. Without it little can be said of those.
 */
export function findDifferences(
  journalDirectory: string,
  databasePath: string,
  arrivals?: readonly Arrival[],
): string[] {
  const database = new SQLite(databasePath, { readonly: true })
  try {
    return compare(journalDirectory, database, arrivals)
  } finally {
    database.close()
  }
}

type Row = Record<string, unknown>

interface Found {
  place: string
  segmentId: number
  offset: number
  event: Row
}

interface Model {
  requests: Row[]
  /** By correlation_id, the oldest first. */
  sharing: Map<unknown, Row[]>
  held: Found[]
  /** By segment: completions of a row that had one, and those that might have meant another row. */
  repeated: Map<number, number>
  ambiguous: Map<number, number>
  rejected: string[]
}

const OUTCOME = [
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'provider_cost_sats',
  'error_status',
  'error_message',
] as const

function compare(directory: string, database: SQLite.Database, arrivals?: readonly Arrival[]): string[] {
  const differences: string[] = []
  const positions = database.prepare('SELECT * FROM journal_segments ORDER BY id').all() as Row[]
  const model: Model = {
    requests: [],
    sharing: new Map(),
    held: [],
    repeated: new Map(),
    ambiguous: new Map(),
    rejected: [],
  }
  const legacy = database
    .prepare('SELECT * FROM requests WHERE segment_id IS NULL ORDER BY id')
    .all() as Row[]
  for (const row of legacy) {
    addRow(model, { ...row, isCompleted: false })
  }
  let late = 0
  for (const position of positions) {
    const bytes = readSegment(directory, String(position['name']))
    const end = Number(position['projected_bytes'])
    late += Number(position['late_lines'])
    if (end > bytes.length)
      differences.push(`${position['name']}: position ${end} beyond ${bytes.length} bytes`)
    if (end > 0 && bytes[end - 1] !== 0x0a)
      differences.push(`${position['name']}: position ${end} not behind a newline`)
    if (arrivals === undefined) foldSegment(model, position, bytes.subarray(0, end))
  }
  for (const { segment, from, to } of arrivals ?? []) {
    const position = positions.find(({ name }) => name === segment)
    if (position !== undefined)
      foldSegment(model, position, readSegment(directory, segment).subarray(0, to), from)
  }
  const isOrderKnown = late === 0 || arrivals !== undefined
  const rows = database
    .prepare('SELECT * FROM requests WHERE segment_id IS NOT NULL ORDER BY id')
    .all() as Row[]
  compareRows(
    differences,
    model.requests.filter((row) => row['segment_id'] !== null),
    rows,
    !isOrderKnown,
  )
  if (isOrderKnown) {
    for (const { id, name, repeated_completions: repeated, ambiguous_completions: ambiguous } of positions) {
      const want = [model.repeated.get(Number(id)) ?? 0, model.ambiguous.get(Number(id)) ?? 0]
      if (want[0] !== repeated || want[1] !== ambiguous) {
        differences.push(`${name}: ${repeated} repeated, ${ambiguous} ambiguous, expected ${want.join(', ')}`)
      }
    }
    const held = database
      .prepare('SELECT segment_id, byte_offset FROM held_completions ORDER BY 1, 2')
      .all() as Row[]
    const expected = model.held.map((found) => found.place).sort()
    compareLists(differences, 'held', expected, held.map(placeOf).sort())
    compareRatios(differences, model.requests, database.prepare('SELECT * FROM token_ratios').all() as Row[])
  }
  const rejected = database.prepare('SELECT segment_id, byte_offset FROM rejected_lines').all() as Row[]
  compareLists(differences, 'rejected', model.rejected.sort(), rejected.map(placeOf).sort())
  return [...differences, ...findRollupDifferences(database)]
}

function readSegment(directory: string, name: string): Buffer {
  if (readdirSync(directory).includes(name)) return readFileSync(join(directory, name))
  return gunzipSync(readFileSync(join(directory, `${name}.gz`)))
}

function foldSegment(model: Model, position: Row, bytes: Buffer, from = 0): void {
  const segmentId = Number(position['id'])
  for (let start = from; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start)
    // Said above already: the segment was cut, and the rest of the line is gone.
    if (end === -1) return
    foldLine(model, {
      segmentId,
      start,
      line: bytes.subarray(start, end),
      day: String(position['name']).slice(0, 10),
    })
    start = end + 1
  }
}

interface LineAt {
  segmentId: number
  start: number
  line: Buffer
  day: string
}

function foldLine(model: Model, { segmentId, start, line, day }: LineAt): void {
  if (line.toString('latin1').trim() === '') return
  const event = decode(line, day)
  if (event !== null && event !== 'damaged') {
    foldEvent(model, { place: `${segmentId}/${start}`, segmentId, offset: start, event })
    return
  }
  const inside = event === 'damaged' ? wholeEvents(line) : []
  let covered = 0
  let rest: number | null = null
  for (const [from, to] of inside) {
    if (rest === null && line.toString('latin1', covered, from).trim() !== '') rest = covered
    covered = to
    const recovered = decode(line.subarray(from, to), day)
    const place = `${segmentId}/${start + from}`
    if (recovered === null || recovered === 'damaged') model.rejected.push(place)
    else foldEvent(model, { place, segmentId, offset: start + from, event: recovered })
  }
  if (rest === null && line.toString('latin1', covered).trim() !== '') rest = covered
  if (rest !== null) model.rejected.push(`${segmentId}/${start + rest}`)
}

/** An event; null when the line was read but is none; 'damaged' when it can't be read. */
function decode(line: Buffer, day: string): Row | null | 'damaged' {
  if (line.length >= 1024 * 1024) return 'damaged'
  const latin = line.toString('latin1').replace(/[ \t\r]+$/, '')
  const tail = /,"crc32":"([0-9a-f]{8})"}$/.exec(latin)
  if (tail !== null && crcHex(line.subarray(0, latin.length - 20)) !== tail[1]) return 'damaged'
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line))
  } catch {
    return 'damaged'
  }
  if (tail === null && /,"[^"]{5}":"[^"]{8}"}$/.test(latin)) return 'damaged'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  if (tail === null && Object.hasOwn(value, 'crc32')) return 'damaged'
  return asEvent(value as Row, day)
}

function asEvent(value: Row, day: string): Row | null {
  const type = value['type'] === undefined ? 'request_logged' : value['type']
  if (type === 'price_set' || type === 'exchange_rate_observed') return { ...value, type }
  if (type !== 'request_logged' && type !== 'stream_completed') return null
  const valid = type === 'request_logged' ? isRequest(value) : isCompletion(value)
  if (!valid) return null
  const given = value['timestamp']
  const timestamp = typeof given === 'string' ? given : `${day}T00:00:00.000Z`
  const costs = {
    // Without prices a cost is what was logged, or else what the provider reported.
    cost_sats: finite(value['cost_sats']) ?? finite(value['provider_cost_sats']),
    provider_cost_sats: finite(value['provider_cost_sats']),
  }
  return { ...value, ...shortNames(value), ...costs, type, timestamp }
}

/** The identifiers as the specification keeps them: at most 1,024 bytes of each. */
function shortNames(value: Row): Row {
  const names = ['correlation_id', 'model', 'provider', 'policy'].filter(
    (name) => typeof value[name] === 'string',
  )
  const short: Row = Object.fromEntries(names.map((name) => [name, shortName(String(value[name]))]))
  if (value['labels'] === undefined) return short
  const labels = Object.entries(value['labels'] as Record<string, string>)
  return {
    ...short,
    labels: Object.fromEntries(labels.map(([name, text]) => [shortName(name), shortName(text)])),
  }
}

function shortName(text: string): string {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= 1024) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  let kept = ''
  for (const character of text.toWellFormed()) {
    if (new TextEncoder().encode(kept + character).length > 950) break
    kept += character
  }
  return `${kept}...sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

const isText = (value: unknown) => typeof value === 'string' && !value.includes('\0')
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value)
// JSON may say 1e999, which becomes null.
const isCost = (value: unknown) => typeof value === 'number'
const finite = (value: unknown) => (isNumber(value) ? value : null)
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0
const orNull = (check: (value: unknown) => boolean) => (value: unknown) => value == null || check(value)

function isTimestamp(value: unknown): boolean {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d/.test(value)) return false
  // A day that isn't in its month is no day, or another one.
  const day = value.slice(0, 10)
  return new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day) === true
}

function isRequest(value: Row): boolean {
  const labels = value['labels']
  return (
    hasOutcome(value) &&
    (value['correlation_id'] === undefined || isText(value['correlation_id'])) &&
    orNull(isCount)(value['attempt']) &&
    isText(value['model']) &&
    orNull(isText)(value['provider']) &&
    orNull(isText)(value['policy']) &&
    (value['streaming'] === undefined || typeof value['streaming'] === 'boolean') &&
    isNumber(value['latency_ms']) &&
    Number(value['latency_ms']) >= 0 &&
    typeof value['success'] === 'boolean' &&
    (labels === undefined ||
      (typeof labels === 'object' &&
        Object.entries(labels ?? {})
          .flat()
          .every(isText)))
  )
}

function isCompletion(value: Row): boolean {
  return (
    hasOutcome(value) &&
    isText(value['correlation_id']) &&
    orNull(isCount)(value['attempt']) &&
    orNull(isNumber)(value['stream_duration_ms']) &&
    orNull((success) => typeof success === 'boolean')(value['success'])
  )
}

function hasOutcome(value: Row): boolean {
  return (
    orNull(isTimestamp)(value['timestamp']) &&
    orNull(isCount)(value['input_tokens']) &&
    orNull(isCount)(value['output_tokens']) &&
    orNull(isCost)(value['cost_sats']) &&
    orNull(isCost)(value['provider_cost_sats']) &&
    orNull((status) => Number.isSafeInteger(status))(value['error_status']) &&
    orNull((text) => typeof text === 'string')(value['error_message'])
  )
}

/** Brute force: the first checksum that fits a beginning before it, then onwards from there. */
function wholeEvents(line: Buffer): [number, number][] {
  const found: [number, number][] = []
  const latin = line.toString('latin1')
  let covered = 0
  for (const match of latin.matchAll(/,"crc32":"([0-9a-f]{8})"}/g)) {
    const starts = [...latin.slice(covered, match.index).matchAll(/\{"type":/g)].map((m) => covered + m.index)
    const start = starts.reverse().find((from) => crcHex(line.subarray(from, match.index)) === match[1])
    if (start === undefined) continue
    covered = match.index + match[0].length
    found.push([start, covered])
  }
  return found
}

function crcHex(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0')
}

function addRow(model: Model, row: Row): void {
  model.requests.push(row)
  const id = row['correlation_id']
  model.sharing.set(id, [...(model.sharing.get(id) ?? []), row])
}

function foldEvent(model: Model, found: Found): void {
  const { event } = found
  if (event['type'] === 'price_set' || event['type'] === 'exchange_rate_observed') return
  if (event['type'] === 'stream_completed') {
    foldCompletion(model, found)
    return
  }
  const row = requestRow(found)
  addRow(model, row)
  const isOurs = (held: Found) =>
    held.event['correlation_id'] === row['correlation_id'] &&
    (held.event['attempt'] == null || held.event['attempt'] === row['attempt'])
  const ours = model.held.filter(isOurs)
  model.held = model.held.filter((held) => !isOurs(held))
  ours.sort((a, b) => a.segmentId - b.segmentId || a.offset - b.offset)
  for (const held of ours) complete(model, row, held)
}

/** The rules of the specification, in its words. */
function foldCompletion(model: Model, found: Found): void {
  const { event, segmentId } = found
  const sharing = model.sharing.get(event['correlation_id']) ?? []
  const attempt = event['attempt'] ?? null
  let row: Row | undefined
  if (attempt !== null) row = sharing.findLast((other) => other['attempt'] === attempt)
  else {
    const open = sharing.filter((other) => other['streaming'] === 1 && other['isCompleted'] !== true)
    if (open.length >= 2) model.ambiguous.set(segmentId, (model.ambiguous.get(segmentId) ?? 0) + 1)
    row = open.at(-1) ?? sharing.at(-1)
  }
  if (row === undefined) model.held.push(found)
  else complete(model, row, found)
}

function requestRow({ event, segmentId, offset }: Found): Row {
  const outcome = Object.fromEntries(OUTCOME.map((column) => [column, event[column] ?? null]))
  return {
    ...outcome,
    correlation_id: event['correlation_id'],
    attempt: event['attempt'] ?? null,
    timestamp: event['timestamp'],
    model: event['model'],
    provider: event['provider'] ?? null,
    policy: event['policy'] ?? null,
    streaming: event['streaming'] === true ? 1 : 0,
    latency_ms: Math.round(Number(event['latency_ms'])),
    success: event['success'] === true ? 1 : 0,
    labels: event['labels'] === undefined ? null : JSON.stringify(event['labels']),
    stream_duration_ms: null,
    segment_id: segmentId,
    byte_offset: offset,
    completed_segment_id: null,
    completed_byte_offset: null,
    isCompleted: false,
  }
}

function complete(model: Model, row: Row, { event, segmentId, offset }: Found): void {
  if (row['isCompleted'] === true) model.repeated.set(segmentId, (model.repeated.get(segmentId) ?? 0) + 1)
  row['isCompleted'] = true
  for (const column of OUTCOME) row[column] = event[column] ?? null
  const duration = event['stream_duration_ms'] ?? null
  row['stream_duration_ms'] = duration === null ? null : Math.round(Number(duration))
  if (typeof event['success'] === 'boolean') row['success'] = Number(event['success'])
  row['completed_segment_id'] = segmentId
  row['completed_byte_offset'] = offset
}

function compareRows(differences: string[], expected: Row[], rows: Row[], hasLate: boolean): void {
  const byPlace = new Map(rows.map((row) => [placeOf(row), row]))
  if (byPlace.size !== rows.length) differences.push(`${rows.length - byPlace.size} doubled rows`)
  compareLists(differences, 'rows', expected.map(placeOf).sort(), [...byPlace.keys()].sort())
  if (!hasLate) compareLists(differences, 'order of rows', expected.map(placeOf), rows.map(placeOf))
  for (const want of expected) {
    const row = byPlace.get(placeOf(want))
    if (row === undefined || (hasLate && row['completed_segment_id'] !== null)) continue
    for (const [column, value] of Object.entries(want)) {
      if (column === 'isCompleted' || (column === 'correlation_id' && value === undefined)) continue
      // What wasn't logged may follow from prices.
      if (column === 'cost_sats' && value === null && row['cost_currency'] != null) continue
      if (column === 'timestamp' && Date.parse(String(value)) === Date.parse(String(row[column]))) continue
      if (!Object.is(row[column], value === 0 ? 0 : value)) {
        differences.push(`row at ${placeOf(want)}: ${column} is ${row[column]}, the journal says ${value}`)
      }
    }
  }
}

function compareRatios(differences: string[], requests: Row[], stored: Row[]): void {
  const samples = new Map<string, number[]>()
  for (const row of requests) {
    const { policy, success, input_tokens: input, output_tokens: output } = row
    if (row['segment_id'] === null || typeof policy !== 'string' || success !== 1) continue
    if (typeof input !== 'number' || typeof output !== 'number' || input === 0) continue
    const ratios = samples.get(policy) ?? []
    ratios.push(output / input)
    samples.set(policy, ratios)
  }
  compareLists(
    differences,
    'policies',
    [...samples.keys()].sort(),
    stored.map((row) => String(row['policy'])).sort(),
  )
  for (const row of stored) {
    const ratios = samples.get(String(row['policy'])) ?? []
    const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length
    if (row['sample_count'] !== ratios.length || Math.abs(Number(row['avg_ratio']) - mean) > 1e-6) {
      differences.push(
        `ratio of ${row['policy']}: ${row['avg_ratio']} of ${row['sample_count']}, expected ${mean}`,
      )
    }
  }
}

function compareLists(differences: string[], what: string, expected: string[], found: string[]): void {
  if (expected.length === found.length && expected.every((item, i) => item === found[i])) return
  const [expectedSet, foundSet] = [new Set(expected), new Set(found)]
  const missing = expected.filter((item) => !foundSet.has(item)).slice(0, 5)
  const surplus = found.filter((item) => !expectedSet.has(item)).slice(0, 5)
  differences.push(
    `${what}: expected ${expected.length}, found ${found.length}; missing ${missing.join(' ')}; too many ${surplus.join(' ')}`,
  )
}

function placeOf(row: Row): string {
  return `${row['segment_id']}/${row['byte_offset']}`
}
