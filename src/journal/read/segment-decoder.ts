import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type DecodedLine, decodeLine, MAX_LINE_BYTES, type Rejection } from '../../events/line.js'
import type { NormalizeHooks } from '../../events/normalize-event.js'
import type { BatchItem } from '../../events/place.js'
import { recoverEvents } from '../../events/recovery.js'
import { SegmentDigester } from '../chain/segment-digest.js'
import { type SegmentRef, startOfDay } from '../segments.js'
import type { Batch, LastLine, LineCounts } from './batch.js'
import { isBlank, type Recovered, type ScannedLine } from './line-scanner.js'
import type { SegmentSource } from './segment-source.js'

const EXCERPT_BYTES = 200
const NEWLINE = Buffer.from('\n')

export interface DecodeOptions {
  /** The journal's id, from which the ids of foreign lines are made. */
  journalId: string
  /** How many bytes `prefixCrc32` covers, from the beginning of the segment. @default 0 */
  prefixBytes?: number
  /** Whether to compute the SHA-256 of an archive's lines. @default false */
  hashesArchive?: boolean
  /**
   * No chunk that begins at or after this offset is read. Without such an end, reading may go on
   * forever, if lines come as fast as they are read.
   * @default the end of the segment
   */
  endOffset?: number
}

/** Reads a segment in batches, each with the events and the rejected lines of one chunk. */
export class SegmentDecoder {
  readonly source: SegmentSource
  readonly #options: DecodeOptions
  readonly #endOffset: number
  #prefixBytesLeft: number
  #prefixCrc32 = 0
  readonly #digester: SegmentDigester | null
  #lastLine: LastLine | null = null

  constructor(source: SegmentSource, options: DecodeOptions) {
    const { prefixBytes = 0, hashesArchive = false, endOffset = Number.POSITIVE_INFINITY } = options
    this.source = source
    this.#options = options
    this.#endOffset = endOffset
    this.#prefixBytesLeft = prefixBytes
    this.#digester = source.isArchive && hashesArchive ? new SegmentDigester() : null
  }

  /** CRC-32 of the first `prefixBytes` bytes, as far as they have been read. */
  get prefixCrc32(): number {
    return this.#prefixCrc32
  }

  /** SHA-256 of all whole lines of an archive, decompressed; null unless `hashesArchive`. */
  get sha256(): string | null {
    return this.#digester?.digest().sha256 ?? null
  }

  /** Reads one batch; null at the end. Called again later, it goes on from there. */
  async read(): Promise<Batch | null> {
    const source = this.source
    if (source.readOffset >= this.#endOffset) return null
    const chunk = await source.read()
    if (chunk === null) return null
    this.#digest(chunk.bytes)
    const decoder = new LineDecoder(source.segment, this.#options.journalId)
    for (const line of chunk.lines) decoder.add(line)
    const last = chunk.lines.at(-1)
    if (last !== undefined) this.#lastLine = lastLineOf(source, last)
    const { items, counts, firstRejected, firstDroppedCost } = decoder
    return {
      segment: source.segment,
      items,
      counts,
      position: { byteOffset: source.position, crc32: source.positionCrc32, lastLine: this.#lastLine },
      bytes: chunk.bytes.length,
      firstRejected,
      firstDroppedCost,
    }
  }

  #digest(bytes: Buffer): void {
    this.#digester?.add(bytes)
    if (this.#prefixBytesLeft === 0) return
    const counted = bytes.subarray(0, this.#prefixBytesLeft)
    this.#prefixCrc32 = crc32(counted, this.#prefixCrc32)
    this.#prefixBytesLeft -= counted.length
  }
}

/** @param line the last line that was read, whose bytes are still valid. */
export function lastLineOf(source: SegmentSource, { byteOffset, length, bytes }: ScannedLine): LastLine {
  const checksum =
    bytes === null ? lastLineChecksum(source, byteOffset, length) : crc32(NEWLINE, crc32(bytes))
  return { byteOffset, length, crc32: checksum }
}

/** CRC-32 of a line, newline included; for a line over 1 MiB, of its last MiB. */
export function lastLineChecksum(source: SegmentSource, byteOffset: number, length: number): number {
  const checked = Math.min(length, MAX_LINE_BYTES)
  return crc32(source.bytesAt(byteOffset + length - checked, checked))
}

/** Decodes whole lines of one segment, and counts them by kind. */
export class LineDecoder {
  readonly items: BatchItem[] = []
  readonly counts: LineCounts = {
    lines: 0,
    requests: 0,
    completions: 0,
    prices: 0,
    rates: 0,
    rejected: 0,
    unchecked: 0,
  }
  firstRejected: Batch['firstRejected'] = null
  firstDroppedCost: Batch['firstDroppedCost'] = null
  readonly #segmentId: number
  readonly #hooks: NormalizeHooks
  /** The place of the event that is being decoded. */
  #byteOffset = 0

  constructor(segment: SegmentRef, journalId: string) {
    this.#segmentId = segment.id
    // A foreign line that leaves these out must get the same values in every replay, so they come
    // from its place: the segment's day, and a UUID (version 8: custom) made of the place's hash.
    this.#hooks = {
      timestamp: () => startOfDay(segment),
      correlationId: () => placeUuid(`${journalId}/${segment.name}/${this.#byteOffset}`),
      costDropped: (member) => {
        this.firstDroppedCost ??= { member, byteOffset: this.#byteOffset }
      },
    }
  }

  add(line: ScannedLine): void {
    if (isBlank(line)) return
    const { byteOffset, bytes } = line
    this.counts.lines++
    if (bytes === null) {
      const detail = `a line of ${line.length} bytes, longer than 1 MiB`
      this.#addRecovered(line, { reason: 'too_long', detail }, line.recovery)
      return
    }
    const decoded = this.#decode(bytes, byteOffset)
    if (!('reason' in decoded)) this.#addEvent(decoded, byteOffset)
    else if (mayHoldEvents(decoded)) this.#addRecovered(line, decoded, recoverEvents(bytes, byteOffset))
    else this.#reject(byteOffset, bytes.length, decoded, bytes)
  }

  #decode(bytes: Buffer, byteOffset: number): DecodedLine {
    this.#byteOffset = byteOffset
    return decodeLine(bytes, this.#hooks)
  }

  #addEvent({ event, isChecked }: Exclude<DecodedLine, Rejection>, byteOffset: number): void {
    if (!isChecked) this.counts.unchecked++
    switch (event.type) {
      case 'request_logged':
        this.counts.requests++
        break
      case 'stream_completed':
        this.counts.completions++
        break
      case 'price_set':
        this.counts.prices++
        break
      case 'exchange_rate_observed':
        this.counts.rates++
        break
      default:
        event satisfies never
    }
    this.items.push({ segmentId: this.#segmentId, byteOffset, event })
  }

  /**
   * Adds every whole event inside the line, each at its own place, and rejects the rest. The texts
   * of `detail` must not change: they are stored, and `verify` compares them (see `findProblems`).
   */
  #addRecovered(line: ScannedLine, rejection: Rejection, { events, notKept, rest }: Recovered): void {
    for (const { byteOffset, bytes } of events) {
      const decoded = this.#decode(bytes, byteOffset)
      if ('reason' in decoded) this.#reject(byteOffset, bytes.length, decoded, bytes)
      else this.#addEvent(decoded, byteOffset)
    }
    if (rest === null) return
    let { detail } = rejection
    if (events.length > 0) detail += `; ${events.length} whole event(s) recovered`
    if (notKept > 0) detail += `, ${notKept} more not: at most 16 MiB of a line are`
    const bytes = line.bytes?.subarray(rest.start - line.byteOffset, rest.end - line.byteOffset)
    this.#reject(rest.start, rest.end - rest.start, { ...rejection, detail }, bytes ?? null)
  }

  /** @param bytes null for a line that is longer than 1 MiB. */
  #reject(byteOffset: number, length: number, { reason, detail }: Rejection, bytes: Buffer | null): void {
    const segmentId = this.#segmentId
    this.counts.rejected++
    this.firstRejected ??= { segmentId, byteOffset, reason, detail }
    // Decoded as UTF-8, which nearly all lines are. Other bytes are shown as U+FFFD.
    const excerpt = bytes?.toString('utf8', 0, EXCERPT_BYTES) ?? ''
    this.items.push({ segmentId, byteOffset, event: null, length, reason, detail, excerpt })
  }
}

/** Whether there may be whole events inside a line that was rejected. */
function mayHoldEvents({ reason }: Rejection): boolean {
  switch (reason) {
    case 'not_utf8':
    case 'not_json':
    case 'checksum_mismatch':
    case 'damaged_checksum':
    case 'too_long':
      return true
    case 'not_an_object':
    case 'unknown_type':
    case 'invalid_event':
      return false
  }
}

function placeUuid(place: string): string {
  const hex = createHash('sha256').update(place).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
