import { closeSync, constants, fstatSync } from 'node:fs'
import { join } from 'node:path'
import {
  nodeFileSystem,
  openRegularFile,
  readSmallFile,
  readUpTo,
  reasonOf,
} from '../../journal/file-system.js'
import {
  distrustMarker,
  fileOf,
  importsUnderWay,
  isFarAhead,
  nearMisses,
  type Segment,
  utcDay,
} from '../../journal/segments.js'
import { countText, sizeText } from '../count-text.js'
import { type Finding, note, ok, problem } from './check.js'

const MAX_MARKER_BYTES = 4096
/** How much of a segment's end is read to find where an unfinished line begins. */
const TAIL_BYTES = 1024 * 1024
const NEWLINE = 0x0a
/** A day has 999 numbers. */
const MANY_NUMBERS = 900

/**
 * Whether each segment can be read and ends with a whole line. Only the end of a segment is read.
 */
export function checkTails(directory: string, segments: readonly Segment[]): Finding[] {
  const fragments: string[] = []
  const unreadable: string[] = []
  for (const segment of segments) {
    try {
      const bytes = fragmentBytes(directory, segment)
      if (bytes > 0)
        fragments.push(`${segment.name}: ${bytes > TAIL_BYTES ? 'more than 1 MiB' : sizeText(bytes)}`)
    } catch (error) {
      unreadable.push(reasonOf(error))
    }
  }
  const findings: Finding[] = []
  if (unreadable.length > 0) {
    const advice =
      "Correct owner and permissions. Anything that isn't a regular file doesn't belong there: move it away"
    const found = `${countText(unreadable.length, 'segment')} can't be read`
    findings.push({ check: 'segment_files', ...problem(found, advice, unreadable) })
  }
  if (fragments.length > 0) {
    const advice =
      'The line is being written, or a crash cut it off: then the next writer ends it, and it counts as a ' +
      "rejected line. Whole events aren't affected"
    const found = `${countText(fragments.length, 'segment')} with an unfinished last line`
    findings.push(note(found, advice, fragments))
  }
  return findings.length > 0
    ? findings
    : [ok(`${countText(segments.length, 'segment')}, each ends with a whole line`)]
}

/**
 * The number of bytes after the last newline; anything over 1 MiB is returned as 1 MiB and one
 * byte. An archive ends with a whole line.
 */
function fragmentBytes(directory: string, segment: Segment): number {
  const path = join(directory, fileOf(segment))
  const { tail: last } = readTail(path, 1)
  if (segment.state !== 'plain' || last.length === 0 || last[0] === NEWLINE) return 0
  const { tail, size } = readTail(path, TAIL_BYTES)
  const newline = tail.lastIndexOf(NEWLINE)
  return newline === -1 && size > TAIL_BYTES ? TAIL_BYTES + 1 : tail.length - newline - 1
}

/** Reads the last bytes of a file, or all of it if it has fewer. */
export function readTail(path: string, length: number): { tail: Buffer; size: number } {
  const fd = openRegularFile(nodeFileSystem, path, constants.O_RDONLY)
  try {
    const { size } = fstatSync(fd)
    return { tail: readUpTo(nodeFileSystem, fd, Math.max(0, size - length), Math.min(size, length)), size }
  } finally {
    closeSync(fd)
  }
}

/** Segments whose sync has failed once. */
export function checkDistrusted(directory: string, segments: readonly Segment[]): Finding {
  const distrusted = segments.filter(({ isDistrusted }) => isDistrusted)
  if (distrusted.length === 0) return ok('no sync has failed')
  const advice =
    'Check the disk (dmesg, smartctl), then run `request-journal verify`: it names what is damaged. Then ' +
    'remove the marker; the segment stays'
  const items = distrusted.map(distrustMarker).map((file) => `${file}: ${markerText(join(directory, file))}`)
  const found = `a sync of ${countText(distrusted.length, 'segment')} failed: what was appended there may not be on disk`
  return problem(found, advice, items)
}

/**
 * When and why the sync failed, as the writer recorded it, or whatever else the marker contains.
 */
function markerText(path: string): string {
  let text: string
  try {
    text = readSmallFile(path, MAX_MARKER_BYTES).trim()
  } catch (error) {
    return `can't be read (${reasonOf(error)})`
  }
  try {
    const { at, error } = JSON.parse(text)
    if (typeof at === 'string' && typeof error === 'string') return `at ${at}, ${error}`
  } catch {
    // It isn't a writer's record, so its text is shown as it is.
  }
  return text === '' ? 'empty' : text
}

/** Days that run out of numbers, and segments dated in the future. */
export function checkNames(segments: readonly Segment[], now: number): Finding {
  const today = utcDay(now)
  const future = segments.filter(({ day }) => day > today)
  const crowded = segments.filter(({ number }) => number >= MANY_NUMBERS)
  if (crowded.length > 0) {
    const advice =
      'Each failed sync uses one, and after 999 writers stop for the day: find out why the disk refuses'
    return problem('a day has nearly used up its segment numbers', advice, names(crowded.slice(-1)))
  }
  const last = future.at(-1)
  if (last === undefined) return ok('no segment is dated in the future')
  const found = `${countText(future.length, 'segment')} dated in the future (today is ${today} UTC)`
  if (!isFarAhead(last, now)) {
    const advice =
      'A clock was ahead: check it (timedatectl). Nothing is lost, but writers stay on the newest of these until its day is over'
    return note(found, advice, names(future))
  }
  const remedy =
    'A clock was ahead, and writers append to the newest of these until its day is over. Correct it (timedatectl), stop the projector, and run `request-journal redate`: it gives them names of today'
  return problem(found, remedy, names(future))
}

/** Files whose lines aren't read, because their name is almost that of a segment. */
export function checkNearMisses(directory: string): Finding {
  const files = nearMisses(directory)
  if (files.length === 0) return ok('no file is named almost like a segment')
  const found = `${countText(files.length, 'file')} named almost like a segment, whose lines aren't read`
  const advice =
    'Uncompress them if need be, rename them as journal/README.md says, 2026-11-20.ndjson or 2026-11-20_001.ndjson, or move them away'
  return problem(found, advice, files)
}

/** Imports that are under way, or were interrupted. */
export function checkImports(directory: string): Finding {
  const { staged, unfinished } = importsUnderWay(directory)
  const found = [...staged, ...unfinished]
  if (found.length === 0) return ok('no import is under way')
  const advice =
    'Nothing to do while it runs. If it was interrupted, run `request-journal import` again, with the same file or another one: it finishes the import'
  return note(`${countText(found.length, 'import')} under way, or interrupted`, advice, found)
}

function names(segments: readonly Segment[]): string[] {
  return segments.map(({ name }) => name)
}
