import { createHash } from 'node:crypto'
import type { EventDefaults } from '../events/complete.js'
import {
  type DecodedLine,
  decodeLine,
  isBlankLine,
  type Rejection,
  type RejectionReason,
} from '../events/line.js'
import { type RecoveredEvent, recoverEvents } from '../events/recovery.js'
import type { JournalEvent } from '../events/schema.js'
import type { ScannedLine } from '../journal/line-scanner.js'
import { type SegmentName, startOfDay } from '../journal/segments.js'
import { emptyCounts, type SegmentCounts } from '../storage/positions.js'
import type { Place, RejectedLine } from '../storage/projection-tables.js'

const EXCERPT_BYTES = 200

/** Reasons after which whole events may still stand inside the line; after the others it was read as it is. */
const RECOVERABLE: ReadonlySet<RejectionReason> = new Set([
  'not_utf8',
  'not_json',
  'checksum_mismatch',
  'damaged_checksum',
  'too_long',
])

/** For the log: null where nothing was rejected. */
export type FirstRejected = (Rejection & Place) | null

interface LineFoldOptions {
  journalId: string
  segment: SegmentName
  apply(event: JournalEvent, place: Place): void
  /** @param bytes all that was rejected, only until the call returns; empty for a line that is longer than 1 MiB. */
  reject(line: RejectedLine, bytes: Buffer): void
}

/** Turns whole lines of one segment into events and rejected lines, and counts what they were. */
export class LineFold {
  readonly counts: SegmentCounts = emptyCounts()
  firstRejected: FirstRejected = null
  readonly #options: LineFoldOptions
  readonly #defaults: EventDefaults
  /** Of the event that is being decoded. */
  #byteOffset = 0

  constructor(options: LineFoldOptions) {
    this.#options = options
    // A foreign line that leaves these out must get the same values in every replay, so they come from its place: the
    // segment's day, and a UUID (version 8: custom) made from the place's hash.
    this.#defaults = {
      timestamp: () => startOfDay(options.segment),
      correlationId: () => placeUuid(`${options.journalId}/${options.segment.name}/${this.#byteOffset}`),
    }
  }

  add(line: ScannedLine): void {
    const { byteOffset, bytes } = line
    if (bytes === null) {
      this.counts.lines++
      this.#recover(line, tooLong(line.length), line.recovered)
      return
    }
    if (isBlankLine(bytes)) return
    this.counts.lines++
    const decoded = this.#decode(bytes, byteOffset)
    if (!('reason' in decoded)) this.#apply(decoded, byteOffset)
    else if (RECOVERABLE.has(decoded.reason)) this.#recover(line, decoded, recoverEvents(bytes, byteOffset))
    else this.#reject(byteOffset, bytes.length, decoded, bytes)
  }

  #decode(bytes: Buffer, byteOffset: number): DecodedLine {
    this.#byteOffset = byteOffset
    return decodeLine(bytes, this.#defaults)
  }

  #apply({ event, isChecked }: Exclude<DecodedLine, Rejection>, byteOffset: number): void {
    if (!isChecked) this.counts.unchecked++
    if (event.type === 'request_logged') this.counts.requests++
    else this.counts.completions++
    this.#options.apply(event, { segmentId: this.#options.segment.id, byteOffset })
  }

  /** Every whole event inside the line, each at its own place; what is left of the line is rejected. */
  #recover(line: ScannedLine, rejection: Rejection, recovered: readonly RecoveredEvent[]): void {
    const end = line.byteOffset + line.length - 1
    let firstRest = line.byteOffset
    let rest: { start: number; end: number } | null = null
    const addRest = (start: number, stop: number) => {
      if (start >= stop || this.#isBlank(line, start, stop)) return
      rest = { start: rest?.start ?? start, end: stop }
    }
    for (const { byteOffset, bytes } of recovered) {
      addRest(firstRest, byteOffset)
      firstRest = byteOffset + bytes.length
      const decoded = this.#decode(bytes, byteOffset)
      if ('reason' in decoded) this.#reject(byteOffset, bytes.length, decoded, bytes)
      else this.#apply(decoded, byteOffset)
    }
    addRest(firstRest, end)
    const left = rest as { start: number; end: number } | null
    if (left === null) return
    let { detail } = rejection
    if (recovered.length > 0) detail += `; ${recovered.length} whole event(s) recovered`
    if (line.givenUp > 0) detail += `, ${line.givenUp} more not: at most 16 MiB of a line are`
    const excerpt = line.bytes?.subarray(left.start - line.byteOffset, left.end - line.byteOffset)
    this.#reject(left.start, left.end - left.start, { ...rejection, detail }, excerpt ?? Buffer.alloc(0))
  }

  #isBlank(line: ScannedLine, start: number, end: number): boolean {
    return (
      line.bytes !== null && isBlankLine(line.bytes.subarray(start - line.byteOffset, end - line.byteOffset))
    )
  }

  #reject(byteOffset: number, length: number, rejection: Rejection, bytes: Buffer): void {
    const { segment, reject } = this.#options
    const place = { segmentId: segment.id, byteOffset }
    this.counts.rejected++
    this.firstRejected ??= { ...rejection, ...place }
    // latin1 would show UTF-8 as garbage; what isn't UTF-8 shows as U+FFFD.
    const excerpt = bytes.toString('utf8', 0, EXCERPT_BYTES)
    reject({ ...place, ...rejection, length, excerpt }, bytes)
  }
}

function tooLong(length: number): Rejection {
  return { reason: 'too_long', detail: `a line of ${length} bytes, longer than 1 MiB` }
}

function placeUuid(place: string): string {
  const hex = createHash('sha256').update(place).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
