import type { JournalEvent } from '../../events/event-types.js'
import type { Place, RejectedLine } from '../../store/sqlite/projection-tables.js'
import type { LineTarget } from '../decoded-segment.js'
import {
  CELLS,
  IS_COMPLETION,
  IS_STREAMING,
  IS_SUCCESS,
  IS_SUCCESS_UNKNOWN,
  MAX_ROWS,
  NUMBERS,
  newPackBuffer,
  type PackedLines,
  type PackedViews,
  packedViews,
  TEXT_BYTES,
  type UnpackedLine,
} from './packed-lines.js'

/** What is longer, or beyond so many, is no name: a label may be another one on every line. */
const MAX_NAME_LENGTH = 256
const MAX_NAMES = 16 * 1024

/** A pack goes before it is full, so that what one more chunk holds has room in it: 256 KiB are at most 6,300 events. */
const ENOUGH_ROWS = 512
const ENOUGH_TEXT_BYTES = TEXT_BYTES / 2

/** Packs decoded lines for another thread. */
export class LinePacker implements LineTarget {
  readonly #names = new Map<string, number>()
  #buffer: ArrayBuffer = newPackBuffer()
  #views: PackedViews = packedViews(this.#buffer)
  #rows = 0
  #textEnd = 0
  #newNames: string[] = []
  #unpacked: UnpackedLine[] = []

  /**
   * True also once anything isn't packed: a line that has no room in a pack takes up to 1 MiB, and several times that as
   * an object that is copied between threads.
   */
  get isEnough(): boolean {
    return this.#rows >= ENOUGH_ROWS || this.#textEnd >= ENOUGH_TEXT_BYTES || this.#unpacked.length > 0
  }

  /** Begins anew, in a buffer that was handed back. */
  begin(buffer: ArrayBuffer): void {
    this.#buffer = buffer
    this.#views = packedViews(buffer)
    this.#rows = 0
    this.#textEnd = 0
    this.#newNames = []
    this.#unpacked = []
  }

  apply(event: JournalEvent, { byteOffset }: Place): void {
    if (!this.#pack(event, byteOffset)) this.#unpacked.push({ row: this.#rows, event, byteOffset })
  }

  reject(rejected: RejectedLine): void {
    this.#unpacked.push({ row: this.#rows, rejected })
  }

  end(): PackedLines {
    return { buffer: this.#buffer, rows: this.#rows, names: this.#newNames, unpacked: this.#unpacked }
  }

  /** @returns false where there is no room for it. */
  #pack(event: JournalEvent, byteOffset: number): boolean {
    const isRequest = event.type === 'request_logged'
    const labels = isRequest && event.labels !== undefined ? JSON.stringify(event.labels) : null
    if (this.#rows === MAX_ROWS || !this.#hasRoomFor(event, labels)) return false
    const { numbers, cells } = this.#views
    let at = this.#rows * NUMBERS
    numbers[at++] = byteOffset
    numbers[at++] = event.attempt ?? Number.NaN
    numbers[at++] = event.input_tokens ?? Number.NaN
    numbers[at++] = event.output_tokens ?? Number.NaN
    numbers[at++] = event.cost_sats ?? Number.NaN
    numbers[at++] = event.provider_cost_sats ?? Number.NaN
    numbers[at++] = (isRequest ? event.latency_ms : event.stream_duration_ms) ?? Number.NaN
    numbers[at] = event.error_status ?? Number.NaN
    let cell = this.#rows * CELLS
    cells[cell++] = kindOf(event)
    cells[cell++] = this.#text(event.correlation_id)
    cells[cell++] = this.#text(event.timestamp)
    cells[cell++] = isRequest ? this.#name(event.model) : 0
    cells[cell++] = isRequest ? this.#name(event.provider) : 0
    cells[cell++] = isRequest ? this.#name(event.policy) : 0
    cells[cell++] = this.#name(event.error_message)
    cells[cell] = this.#name(labels)
    this.#rows++
    return true
  }

  #hasRoomFor(event: JournalEvent, labels: string | null): boolean {
    let length = event.correlation_id.length + event.timestamp.length + (labels?.length ?? 0)
    length += event.error_message?.length ?? 0
    if (event.type === 'request_logged') {
      length += event.model.length + (event.provider?.length ?? 0) + (event.policy?.length ?? 0)
    }
    // A UTF-16 unit is at most three bytes of UTF-8.
    return length * 3 <= TEXT_BYTES - this.#textEnd
  }

  #name(text: string | null): number {
    if (text === null) return 0
    const known = this.#names.get(text)
    if (known !== undefined) return known + 1
    if (text.length > MAX_NAME_LENGTH || this.#names.size === MAX_NAMES) return this.#text(text)
    this.#names.set(text, this.#names.size)
    this.#newNames.push(text)
    return this.#names.size
  }

  #text(text: string): number {
    const bytes = this.#views.texts.write(text, this.#textEnd, 'utf8')
    this.#textEnd += bytes
    // Every unit that isn't ASCII is more than one byte.
    return -(bytes * 2 + (bytes === text.length ? 0 : 1)) - 1
  }
}

function kindOf(event: JournalEvent): number {
  const success = event.success === null ? IS_SUCCESS_UNKNOWN : event.success ? IS_SUCCESS : 0
  if (event.type === 'stream_completed') return IS_COMPLETION | success
  return event.streaming ? IS_STREAMING | success : success
}
