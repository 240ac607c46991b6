/** Takes the data of an event stream, piece by piece, as it comes. */
export interface SseHandler {
  /** Called before the first data of each event. */
  beginEvent(): void
  /** Called with the next bytes of the event's data: those from `start` to before `end`. */
  data(bytes: Buffer, start: number, end: number): void
}

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const DATA = Buffer.from('data')
const NEWLINE = Buffer.from('\n')

// States of a line.
const FIELD_NAME = 0
const BEFORE_DATA = 1
const WITHIN_DATA = 2
const IGNORED = 3

/**
 * Finds the data in an event stream
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html), in chunks cut anywhere. Lines
 * end with CR, LF or both. A byte order mark must have been removed. Nothing is kept, however long
 * a line is.
 */
export class SseReader {
  readonly #handler: SseHandler
  #state = FIELD_NAME
  /** How many bytes of the name `data` the field has begun with. */
  #nameBytes = 0
  #hasData = false
  /** Whether the last byte was a CR, to which an LF that follows belongs. */
  #isAfterCr = false

  constructor(handler: SseHandler) {
    this.#handler = handler
  }

  push(bytes: Buffer): void {
    let at = 0
    // The offsets of the next LF and CR. Each is searched for again only once it has been passed:
    // most streams never contain a CR, and would be searched to their end for every line.
    let lf = -1
    let cr = -1
    while (at < bytes.length) {
      const byte = bytes[at] as number
      if (this.#isAfterCr) {
        this.#isAfterCr = false
        if (byte === LF) {
          at += 1
          continue
        }
      }
      if (this.#state === FIELD_NAME) {
        this.#readName(byte)
        at += 1
      } else if (this.#state === BEFORE_DATA) {
        if (byte === SPACE) at += 1
        this.#state = WITHIN_DATA
      } else {
        if (lf < at) lf = found(bytes.indexOf(LF, at), bytes)
        if (cr < at) cr = found(bytes.indexOf(CR, at), bytes)
        const end = Math.min(lf, cr)
        if (this.#state === WITHIN_DATA && end > at) this.#handler.data(bytes, at, end)
        if (end < bytes.length) this.#endLine(end === cr)
        at = end + 1
      }
    }
  }

  #readName(byte: number): void {
    if (byte === LF || byte === CR) {
      // An empty line ends the event. `data` without a colon is data too, and empty.
      if (this.#nameBytes === 0) this.#hasData = false
      this.#endLine(byte === CR)
    } else if (byte === COLON) {
      this.#state = this.#nameBytes === DATA.length ? BEFORE_DATA : IGNORED
      if (this.#state === BEFORE_DATA) this.#beginData()
    } else if (byte === DATA[this.#nameBytes]) {
      this.#nameBytes += 1
    } else {
      this.#state = IGNORED
    }
  }

  #beginData(): void {
    if (this.#hasData) this.#handler.data(NEWLINE, 0, 1)
    else this.#handler.beginEvent()
    this.#hasData = true
  }

  #endLine(isCr: boolean): void {
    this.#isAfterCr = isCr
    this.#state = FIELD_NAME
    this.#nameBytes = 0
  }
}

function found(offset: number, bytes: Buffer): number {
  return offset === -1 ? bytes.length : offset
}
