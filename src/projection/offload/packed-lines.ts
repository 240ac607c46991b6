import type { JournalEvent } from '../../events/event-types.js'
import type { RejectedLine } from '../../store/sqlite/projection-tables.js'

/** Rows that are packed at most. */
export const MAX_ROWS = 8192
export const TEXT_BYTES = 512 * 1024

/** A row's numbers: byte_offset, attempt, input_tokens, output_tokens, costs, milliseconds and error_status. */
export const NUMBERS = 8
/** Of a row: its kind, then correlation_id, timestamp, model, provider, policy, error_message and labels. */
export const CELLS = 8

/** Bits of a row's kind. */
export const IS_COMPLETION = 1
export const IS_STREAMING = 2
export const IS_SUCCESS = 4
export const IS_SUCCESS_UNKNOWN = 8

const NUMBERS_BYTES = MAX_ROWS * NUMBERS * Float64Array.BYTES_PER_ELEMENT
const CELLS_BYTES = MAX_ROWS * CELLS * Int32Array.BYTES_PER_ELEMENT

/** What isn't packed is copied as it is: rejected lines, and events that there was no room for. */
export type UnpackedLine = { row: number } & (
  | { event: JournalEvent; byteOffset: number }
  | { rejected: RejectedLine }
)

/**
 * Decoded lines of one segment on their way from one thread to another. Copying events as objects costs about what
 * decoding them does, so numbers go in arrays that are handed over as they are, texts as bytes, and names, which come
 * again and again, as numbers of a list that both threads keep.
 *
 * A text's cell is 0 for null; n > 0 for the name n − 1; −n − 1 for a text of its own, n being its length in bytes
 * times two, plus one where it isn't ASCII. Such texts stand one behind the other, in the order of the cells.
 */
export interface PackedLines {
  /** Numbers, cells and texts: handed over, and handed back to be used again. */
  buffer: ArrayBuffer
  rows: number
  /** Those that come for the first time, behind those that were there. */
  names: string[]
  /** In their order, each before the row with its number. */
  unpacked: UnpackedLine[]
}

export interface PackedViews {
  numbers: Float64Array
  cells: Int32Array
  texts: Buffer
}

export function newPackBuffer(): ArrayBuffer {
  return new ArrayBuffer(NUMBERS_BYTES + CELLS_BYTES + TEXT_BYTES)
}

export function packedViews(buffer: ArrayBuffer): PackedViews {
  return {
    numbers: new Float64Array(buffer, 0, MAX_ROWS * NUMBERS),
    cells: new Int32Array(buffer, NUMBERS_BYTES, MAX_ROWS * CELLS),
    texts: Buffer.from(buffer, NUMBERS_BYTES + CELLS_BYTES, TEXT_BYTES),
  }
}
