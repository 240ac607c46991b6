import { createHash } from 'node:crypto'
import type { EventDefaults } from '../events/complete.js'
import type { JournalEvent } from '../events/event-types.js'
import type { CostField } from '../events/fields.js'
import { type DecodedLine, decodeLine, type Rejection, type RejectionReason } from '../events/line.js'
import { recoverEvents } from '../events/recovery.js'
import { isBlank, type Recovered, type ScannedLine } from '../journal/read/line-scanner.js'
import { type SegmentRef, startOfDay } from '../journal/segments.js'
import { emptyCounts, type SegmentCounts } from '../store/sqlite/positions.js'
import type { Place, RejectedLine } from '../store/sqlite/projection-tables.js'

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

/** For the log: a member of cost that a line can't have, as `1e999`, so that it counts as unknown. */
export type FirstDroppedCost = { member: CostField; byteOffset: number } | null

interface LineFoldOptions {
  journalId: string
  segment: SegmentRef
  apply(event: JournalEvent, place: Place): void
  /** @param bytes all that was rejected, only until the call returns; empty for a line that is longer than 1 MiB. */
  reject(line: RejectedLine, bytes: Buffer): void
}

/** Turns whole lines of one segment into events and rejected lines, and counts what they were. */
export class LineFold {
  readonly counts: SegmentCounts = emptyCounts()
  firstRejected: FirstRejected = null
  firstDroppedCost: FirstDroppedCost = null
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
      costDropped: (member) => {
        this.firstDroppedCost ??= { member, byteOffset: this.#byteOffset }
      },
    }
  }

  add(line: ScannedLine): void {
    if (isBlank(line)) return
    const { byteOffset, bytes, recovery } = line
    this.counts.lines++
    if (bytes === null) {
      this.#recover(line, tooLong(line.length), recovery)
      return
    }
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
  #recover(line: ScannedLine, rejection: Rejection, { events, givenUp, rest }: Recovered): void {
    for (const { byteOffset, bytes } of events) {
      const decoded = this.#decode(bytes, byteOffset)
      if ('reason' in decoded) this.#reject(byteOffset, bytes.length, decoded, bytes)
      else this.#apply(decoded, byteOffset)
    }
    if (rest === null) return
    let { detail } = rejection
    if (events.length > 0) detail += `; ${events.length} whole event(s) recovered`
    if (givenUp > 0) detail += `, ${givenUp} more not: at most 16 MiB of a line are`
    const excerpt = line.bytes?.subarray(rest.start - line.byteOffset, rest.end - line.byteOffset)
    this.#reject(rest.start, rest.end - rest.start, { ...rejection, detail }, excerpt ?? Buffer.alloc(0))
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
