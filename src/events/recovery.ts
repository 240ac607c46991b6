import { crc32 } from 'node:zlib'
import { CHECKSUM_BYTES, hexChecksum, isJsonSpace, MAX_LINE_BYTES } from './line.js'
import { CHECKSUM_START, LINE_START } from './serialize.js'

/**
 * Finds whole events inside a line that doesn't decode: every stretch from `{"type":` to
 * `,"crc32":"hhhhhhhh"}` whose checksum holds. The line may come in pieces and be of any length;
 * memory stays bounded and time linear, since the checksum from each beginning is continued, never
 * computed anew.
 *
 * Bytes between events, or before or after them, are a gap. The part that is rejected, called the
 * rest, is one stretch from the first gap to the last, with the events between them; blank gaps at
 * either end aren't part of it:
 *
 * ```text
 * gap {"type":…,"crc32":"…"} gap {"type":…,"crc32":"…"}  gap, still growing
 * └──── rest before the gap ────┘                      │ └ firstNonSpace
 *                                                      └ gapStart
 * ```
 */
export class EventRecovery {
  readonly events: RecoveredEvent[] = []
  /** Whole events that were found but not kept, because those before them fill 16 MiB. */
  notKept = 0
  #window: Buffer = Buffer.alloc(0)
  /** The offset in the segment at which the window begins. */
  #windowOffset: number
  #starts: Start[] = []
  /** The index in the window before which everything has been searched. */
  #scanned = 0
  #recoveredBytes = 0
  /** The offset in the segment at which the last kept event ended and the current gap begins. */
  #gapStart: number
  /** The offset of the first byte of the current gap that isn't white space. */
  #firstNonSpace: number | null = null
  /** The rest without the current gap; null if every gap before it is blank. */
  #restBeforeGap: Stretch | null = null

  constructor(byteOffset: number) {
    this.#windowOffset = byteOffset
    this.#gapStart = byteOffset
  }

  /** The rest, with the current gap (see above); null if every gap is blank. */
  get rest(): Stretch | null {
    return this.#restWithGap(this.#windowOffset + this.#window.length)
  }

  push(piece: Buffer): void {
    const searched = this.#window.length
    // Copied, because the caller reuses its buffer.
    this.#window = Buffer.concat([this.#window, piece])
    this.#firstNonSpace ??= this.#findNonSpace(searched)
    this.#scan()
    this.#forget()
  }

  #scan(): void {
    const window = this.#window
    // Each marker is searched for once, not once for every marker of the other kind.
    let start = window.indexOf(LINE_START, this.#scanned)
    let checksum = window.indexOf(CHECKSUM_START, this.#scanned)
    while (start !== -1 || checksum !== -1) {
      if (start !== -1 && (checksum === -1 || start < checksum)) {
        this.#starts.push({ index: start, crc: 0, crcEnd: start })
        if (this.#starts.length > MAX_STARTS) this.#starts.shift()
        this.#scanned = start + LINE_START.length
        start = window.indexOf(LINE_START, this.#scanned)
        continue
      }
      const end = checksum + CHECKSUM_BYTES
      if (end > window.length) {
        // The rest of the checksum comes with the next piece.
        this.#scanned = checksum
        return
      }
      const found = this.#startOfEvent(checksum)
      this.#scanned = checksum + 1
      if (found !== null) {
        this.#keep(found.index, end)
        this.#starts = []
        this.#scanned = end
      }
      checksum = window.indexOf(CHECKSUM_START, this.#scanned)
    }
    // A marker may be cut by the end of this piece.
    this.#scanned = Math.max(this.#scanned, window.length - CHECKSUM_START.length + 1)
  }

  /**
   * Finds the nearest beginning whose bytes up to `checksum` have the checksum that is written
   * there.
   */
  #startOfEvent(checksum: number): Start | null {
    const digits = checksum + CHECKSUM_START.length
    if (this.#window.toString('latin1', digits + 8, digits + 10) !== '"}') return null
    const stored = this.#window.toString('latin1', digits, digits + 8)
    for (const start of this.#starts.toReversed()) {
      start.crc = crc32(this.#window.subarray(start.crcEnd, checksum), start.crc)
      start.crcEnd = checksum
      const lineBytes = checksum + CHECKSUM_BYTES - start.index + 1
      if (lineBytes <= MAX_LINE_BYTES && hexChecksum(start.crc) === stored) return start
    }
    return null
  }

  /** The rest with the current gap, which ends at `gapEnd`. A blank gap adds nothing. */
  #restWithGap(gapEnd: number): Stretch | null {
    if (this.#firstNonSpace === null || this.#firstNonSpace >= gapEnd) return this.#restBeforeGap
    return { start: this.#restBeforeGap?.start ?? this.#gapStart, end: gapEnd }
  }

  /** @param index the index in the window to begin at. */
  #findNonSpace(index: number): number | null {
    for (let at = index; at < this.#window.length; at++) {
      if (!isJsonSpace(this.#window[at])) return this.#windowOffset + at
    }
    return null
  }

  #keep(index: number, end: number): void {
    this.#recoveredBytes += end - index
    if (this.#recoveredBytes > MAX_RECOVERED_BYTES) {
      this.notKept++
      return
    }
    const bytes = Buffer.from(this.#window.subarray(index, end))
    const byteOffset = this.#windowOffset + index
    this.events.push({ byteOffset, bytes })
    this.#restBeforeGap = this.#restWithGap(byteOffset)
    this.#gapStart = this.#windowOffset + end
    this.#firstNonSpace = this.#findNonSpace(end)
  }

  /** Drops the bytes in which no later event can begin. */
  #forget(): void {
    const oldest = this.#window.length - MAX_LINE_BYTES
    this.#starts = this.#starts.filter((start) => start.index >= oldest)
    const kept = Math.max(0, Math.min(this.#starts[0]?.index ?? this.#scanned, this.#scanned))
    if (kept === 0) return
    this.#window = Buffer.from(this.#window.subarray(kept))
    this.#windowOffset += kept
    this.#scanned -= kept
    for (const start of this.#starts) {
      start.index -= kept
      start.crcEnd -= kept
    }
  }
}

/**
 * A whole event inside a line that doesn't decode: its bytes from `{"type":` to the closing brace.
 */
export interface RecoveredEvent {
  byteOffset: number
  bytes: Buffer
}

/** A part of a segment, by byte offsets. */
export interface Stretch {
  start: number
  end: number
}

interface Start {
  /** The index in the window. */
  index: number
  crc: number
  /** The index in the window up to which `crc` is computed. */
  crcEnd: number
}

/**
 * How many beginnings are tried for one checksum, the nearest first. The lines that this package
 * writes hold `{"type":` only once; a foreign line may hold a few more in nested objects.
 */
const MAX_STARTS = 8

/**
 * How many bytes of recovered events are kept for one line, so that a hostile line can't fill the
 * memory.
 */
const MAX_RECOVERED_BYTES = 16 * MAX_LINE_BYTES

/** Looks for the events inside one line that doesn't decode. */
export function recoverEvents(line: Buffer, byteOffset: number): EventRecovery {
  const recovery = new EventRecovery(byteOffset)
  recovery.push(line)
  return recovery
}
