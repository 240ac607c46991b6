import { statSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalTimestamp } from '../events/timestamp.js'
import { JournalError } from './errors.js'
import { type FileSystem, isMissing, nodeFileSystem, reasonOf } from './file-system.js'

const FILE_NAME = /^(\d{4}-\d{2}-\d{2})(?:_(\d{3}))?\.ndjson(\.gz|\.gone|\.distrusted)?$/
const MAX_NUMBER = 999
const DAY_MS = 24 * 60 * 60_000

/** Identifies a segment, which needn't exist. */
export interface SegmentRef {
  /** The name of its plain file: `2026-11-22.ndjson` or `2026-11-22_001.ndjson`. */
  name: string
  /** The UTC day, `2026-11-22`. */
  day: string
  /** 0 for the first segment of a day. */
  number: number
  /**
   * The day's digits followed by the number, 20261122001. It gives the order of segments, in the
   * database too.
   */
  id: number
}

/** A segment that exists. */
export interface Segment extends SegmentRef {
  /**
   * Which file it is read from:
   *
   * - `plain`: its `.ndjson`. It hasn't been archived yet.
   * - `leaving`: `.ndjson.gone`. It has been archived, but its plain file is still there under this
   *   name: a writer that hasn't noticed yet may still append to that file.
   * - `archived`: its archive, `.ndjson.gz`, which is all that is left.
   */
  state: 'plain' | 'leaving' | 'archived'
  /** Whether a sync of the segment has failed, so that no writer appends to it any more. */
  isDistrusted: boolean
}

/** The segment with this number on this UTC day. */
export function segmentOf(day: string, number: number): SegmentRef {
  const suffix = number === 0 ? '' : `_${String(number).padStart(3, '0')}`
  return { name: `${day}${suffix}.ndjson`, day, number, id: Number(day.replaceAll('-', '')) * 1000 + number }
}

/** The segment with this id; null if the number isn't a segment's id. */
export function segmentOfId(id: number): SegmentRef | null {
  const digits = String(id).padStart(11, '0')
  const [, year, month, day, number] = /^(\d{4})(\d{2})(\d{2})(\d{3})$/.exec(digits) ?? []
  const date = `${year}-${month}-${day}`
  return canonicalTimestamp(`${date}T00:00:00Z`) === null ? null : segmentOf(date, Number(number))
}

/** The UTC day of an instant, `2026-11-22`. */
export function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/**
 * Whether a segment is dated later than tomorrow, further ahead than differing clocks explain.
 * Writers stay on such a segment.
 */
export function isFarAhead({ day }: Pick<SegmentRef, 'day'>, now: number): boolean {
  return day > utcDay(now + DAY_MS)
}

/** The first instant of a segment's day, which a foreign line without a timestamp gets. */
export function startOfDay(segment: SegmentRef): string {
  return `${segment.day}T00:00:00.000Z`
}

/** The name of the file that marks a segment whose sync failed. */
export function distrustMarker(segment: SegmentRef): string {
  return `${segment.name}.distrusted`
}

/** The name that the plain file has for a while after its segment was archived. */
export function leavingFile(segment: SegmentRef): string {
  return `${segment.name}.gone`
}

/** The name of the file that holds a segment's plain lines, unless only its archive is left. */
export function plainFile(segment: SegmentRef & Partial<Pick<Segment, 'state'>>): string {
  return segment.state === 'leaving' ? leavingFile(segment) : segment.name
}

/** The size of a segment's plain file in bytes; null if only its archive is there. */
export function plainSize(directory: string, segment: Segment): number | null {
  if (segment.state === 'archived') return null
  return statSync(join(directory, plainFile(segment)), { throwIfNoEntry: false })?.size ?? null
}

export function archiveFile(segment: SegmentRef): string {
  return `${segment.name}.gz`
}

/** The file from which a segment is read. */
export function fileOf(segment: Segment): string {
  return segment.state === 'archived' ? archiveFile(segment) : plainFile(segment)
}

/**
 * Matches names that people may take for a segment's or an archive's, even if another program has
 * compressed the file.
 */
const LOOKS_LIKE_SEGMENT = /\.(ndjson|jsonl)(\.(gz|bz2|xz|zst|lz4|zip))?$/i

/**
 * Lists the files whose names come close to a segment's, such as `2026-11-20_1.ndjson` or
 * `2026-11-20.NDJSON`. Somebody may believe that their lines are in the journal, but nothing reads
 * them. Empty if the directory doesn't exist.
 */
export function nearMisses(directory: string, fs: FileSystem = nodeFileSystem): string[] {
  return readNames(directory, fs)
    .filter(
      (file) => LOOKS_LIKE_SEGMENT.test(file) && file !== 'manifest.jsonl' && parseFileName(file) === null,
    )
    .sort()
}

/**
 * Lists a journal's segments in order. Empty if the directory doesn't exist.
 *
 * @throws JournalError SEGMENT_UNREADABLE
 */
export function listSegments(directory: string, fs: FileSystem = nodeFileSystem): Segment[] {
  const found = new Map<number, SegmentRef>()
  const plain = new Set<number>()
  const leaving = new Set<number>()
  const distrusted = new Set<number>()
  for (const file of readNames(directory, fs)) {
    const parsed = parseFileName(file)
    if (parsed === null) continue
    const { segment, ending } = parsed
    if (ending === '.distrusted') distrusted.add(segment.id)
    else found.set(segment.id, segment)
    if (ending === undefined) plain.add(segment.id)
    if (ending === '.gone') leaving.add(segment.id)
  }
  return [...found.values()]
    .sort((a, b) => a.id - b.id)
    .map((segment) => ({
      ...segment,
      state: plain.has(segment.id) ? 'plain' : leaving.has(segment.id) ? 'leaving' : 'archived',
      isDistrusted: distrusted.has(segment.id),
    }))
}

function readNames(directory: string, fs: FileSystem): string[] {
  try {
    return fs.readdirSync(directory)
  } catch (error) {
    if (isMissing(error)) return []
    const text = `Can't list the journal ${directory}: ${reasonOf(error)}`
    throw new JournalError('SEGMENT_UNREADABLE', directory, text, { cause: error })
  }
}

const STAGED_IMPORT = '.import-'
const UNFINISHED = '.tmp'

/** The name of the directory that holds an import until all of it is in the journal. */
export function stagedImport(id: string): string {
  return `${STAGED_IMPORT}${id}`
}

/** The name of that directory until all of its files are written. */
export function unfinishedImport(id: string): string {
  return `${stagedImport(id)}${UNFINISHED}`
}

/** The names of those directories in a journal, by whether all of their files are written. */
export function importsUnderWay(directory: string): { staged: string[]; unfinished: string[] } {
  const names = readNames(directory, nodeFileSystem).filter((name) => name.startsWith(STAGED_IMPORT))
  return {
    staged: names.filter((name) => !name.endsWith(UNFINISHED)),
    unfinished: names.filter((name) => name.endsWith(UNFINISHED)),
  }
}

/** The segment with this name; null if the text isn't a segment's name. */
export function parseSegmentName(name: string): SegmentRef | null {
  const parsed = parseFileName(name)
  return parsed === null || parsed.ending !== undefined ? null : parsed.segment
}

/**
 * The segment that a file belongs to, and what follows `.ndjson` in its name; null if it belongs to
 * none.
 */
function parseFileName(file: string): { segment: SegmentRef; ending: string | undefined } | null {
  const [, day, number, ending] = FILE_NAME.exec(file) ?? []
  if (day === undefined || number === '000' || canonicalTimestamp(`${day}T00:00:00Z`) === null) return null
  return { segment: segmentOf(day, Number(number ?? 0)), ending }
}

/**
 * The segment that a writer appends to: the latest one that exists or today's, whichever is later.
 * If that one is distrusted or archived, it's the next segment of the same day.
 *
 * @throws JournalError SEGMENTS_EXHAUSTED
 */
export function segmentToWrite(segments: readonly Segment[], today: string): SegmentRef {
  const latest = segments.at(-1)
  if (latest === undefined || latest.day < today) return segmentOf(today, 0)
  if (!latest.isDistrusted && latest.state === 'plain') return latest
  return nextSegmentOfDay(latest)
}

/** The next segment of the same day. @throws JournalError SEGMENTS_EXHAUSTED */
export function nextSegmentOfDay(segment: SegmentRef): SegmentRef {
  if (segment.number < MAX_NUMBER) return segmentOf(segment.day, segment.number + 1)
  const text = `${segment.day} has used up its ${MAX_NUMBER} segment numbers: find out why syncs fail on this disk`
  throw new JournalError('SEGMENTS_EXHAUSTED', segment.name, text)
}
