import { canonicalTimestamp } from '../events/timestamp.js'
import { JournalError } from './errors.js'
import { type FileSystem, isMissing, nodeFileSystem } from './files.js'

const FILE_NAME = /^(\d{4}-\d{2}-\d{2})(?:_(\d{3}))?\.ndjson(\.gz|\.gone|\.distrusted)?$/
const MAX_NUMBER = 999
const DAY_MS = 24 * 60 * 60_000

/** A segment's name, `2026-11-22.ndjson` or `2026-11-22_001.ndjson`, and what it says. */
export interface SegmentName {
  name: string
  /** The UTC day, `2026-11-22`. */
  day: string
  /** 0 for the first segment of a day. */
  number: number
  /** day × 1000 + number, 20261122001: the order of segments, and their id in the database. */
  id: number
}

/** A segment that is there. */
export interface Segment extends SegmentName {
  /** Only as `.ndjson.gz`: where both exist the plain file counts. */
  isArchived: boolean
  /**
   * Archived, but its plain file is still there under another name, where a writer that hasn't noticed may still append:
   * readers prefer that one.
   */
  isLeaving: boolean
  /** A sync of it failed once: no writer appends to it any more. */
  isDistrusted: boolean
}

export function segmentName(day: string, number: number): SegmentName {
  const suffix = number === 0 ? '' : `_${String(number).padStart(3, '0')}`
  return { name: `${day}${suffix}.ndjson`, day, number, id: Number(day.replaceAll('-', '')) * 1000 + number }
}

/** The segment that an id stands for; null for a number that is none. */
export function segmentOfId(id: number): SegmentName | null {
  const digits = String(id).padStart(11, '0')
  const [, year, month, day, number] = /^(\d{4})(\d{2})(\d{2})(\d{3})$/.exec(digits) ?? []
  const date = `${year}-${month}-${day}`
  return canonicalTimestamp(`${date}T00:00:00Z`) === null ? null : segmentName(date, Number(number))
}

/** The UTC day of an instant, `2026-11-22`. */
export function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Writers stay on this segment for longer than clocks differ: it is dated later than tomorrow. */
export function isFarAhead({ day }: Pick<SegmentName, 'day'>, now: number): boolean {
  return day > utcDay(now + DAY_MS)
}

/** The first instant of a segment's day, as a canonical timestamp: when a foreign line without one was logged. */
export function startOfDay(segment: SegmentName): string {
  return `${segment.day}T00:00:00.000Z`
}

/** The durable mark beside a segment whose sync failed. */
export function distrustMarker(segment: SegmentName): string {
  return `${segment.name}.distrusted`
}

/** Where the plain file stays for a while after it was archived. */
export function leavingFile(segment: SegmentName): string {
  return `${segment.name}.gone`
}

export function archiveFile(segment: SegmentName): string {
  return `${segment.name}.gz`
}

/** What looks like a segment or an archive to people, whether it is one or not. */
const LOOKS_LIKE_SEGMENT = /\.(ndjson|jsonl)(\.gz)?$/i

/**
 * Files whose names come close to a segment's, such as `2026-11-20_1.ndjson` or `2026-11-20.NDJSON`: somebody believes
 * that their lines are in the journal, and nobody reads them. Empty when there is no directory.
 */
export function nearMisses(directory: string, fs: FileSystem = nodeFileSystem): string[] {
  return readNames(directory, fs)
    .filter(
      (file) => LOOKS_LIKE_SEGMENT.test(file) && file !== 'manifest.jsonl' && parseFileName(file) === null,
    )
    .sort()
}

/** Every segment of a journal in order; files with other names are left alone. Empty when there is no directory. */
export function listSegments(directory: string, fs: FileSystem = nodeFileSystem): Segment[] {
  const plain = new Map<number, SegmentName>()
  const archived = new Map<number, SegmentName>()
  const leaving = new Set<number>()
  const distrusted = new Set<number>()
  for (const file of readNames(directory, fs)) {
    const parsed = parseFileName(file)
    if (parsed === null) continue
    const { name, ending } = parsed
    if (ending === '.distrusted') distrusted.add(name.id)
    else if (ending === undefined) plain.set(name.id, name)
    else archived.set(name.id, name)
    if (ending === '.gone') leaving.add(name.id)
  }
  const names = new Map([...archived, ...plain])
  return [...names.values()]
    .sort((a, b) => a.id - b.id)
    .map((name) => ({
      ...name,
      isArchived: !plain.has(name.id),
      isLeaving: leaving.has(name.id) && !plain.has(name.id),
      isDistrusted: distrusted.has(name.id),
    }))
}

function readNames(directory: string, fs: FileSystem): string[] {
  try {
    return fs.readdirSync(directory)
  } catch (error) {
    if (isMissing(error)) return []
    const text = `Can't list the journal ${directory}: ${message(error)}`
    throw new JournalError('SEGMENT_UNREADABLE', directory, text, { cause: error })
  }
}

/** The segment that a name such as the manifest's stands for; null for any other text. */
export function parseSegmentName(name: string): SegmentName | null {
  const parsed = parseFileName(name)
  return parsed === null || parsed.ending !== undefined ? null : parsed.name
}

/** The segment that a file belongs to, and what follows `.ndjson` in its name; null for any other file. */
function parseFileName(file: string): { name: SegmentName; ending: string | undefined } | null {
  const [, day, number, ending] = FILE_NAME.exec(file) ?? []
  if (day === undefined || number === '000' || canonicalTimestamp(`${day}T00:00:00Z`) === null) return null
  return { name: segmentName(day, Number(number ?? 0)), ending }
}

/**
 * Where a writer appends: the greatest segment that is there or today's, whichever is greater, and never one that is
 * distrusted or archived.
 *
 * @throws JournalError SEGMENTS_EXHAUSTED
 */
export function segmentToWrite(segments: readonly Segment[], today: string): SegmentName {
  const greatest = segments.at(-1)
  if (greatest === undefined || greatest.day < today) return segmentName(today, 0)
  if (!greatest.isDistrusted && !greatest.isArchived) return greatest
  return nextNumber(greatest)
}

/** The next segment of the same day. */
export function nextNumber(segment: SegmentName): SegmentName {
  if (segment.number < MAX_NUMBER) return segmentName(segment.day, segment.number + 1)
  const text = `${segment.day} has used up its ${MAX_NUMBER} segment numbers: find out why syncs fail on this disk`
  throw new JournalError('SEGMENTS_EXHAUSTED', segment.name, text)
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
