import { InputError } from '../errors.js'

/** A limit for files that aren't JSON; rows that contain whole conversations are long. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024

const [TAB, NEWLINE, RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20]
const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c]
const [OPENING_BRACKET, CLOSING_BRACKET, OPENING_BRACE, CLOSING_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d]

/** One text of JSON that was cut out of a file. */
export interface JsonText {
  /** The line on which it begins, from 1. */
  line: number
  bytes: Buffer
  /** Whether the file ends within it. */
  isCut: boolean
}

/** Cuts the bytes of a file into texts of JSON. */
export interface TextCutter {
  /** @returns the texts that end in the next bytes. @throws InputError INVALID_VALUE */
  cut(chunk: Buffer): JsonText[]
  /** @returns what is left at the end of the file; null: nothing. */
  end(): JsonText | null
}

/** Keeps the beginning of a text whose end hasn't been read yet. */
class Beginning {
  readonly #path: string
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(path: string) {
    this.#path = path
  }

  /** @throws InputError INVALID_VALUE */
  keep(rest: Buffer, line: number): void {
    this.#pieces.push(Buffer.from(rest))
    this.#bytes += rest.length
    if (this.#bytes <= MAX_TEXT_BYTES) return
    const found = `found an object of more than ${MAX_TEXT_BYTES} bytes, expected one for each request`
    throw new InputError('INVALID_VALUE', this.#path, found, { line })
  }

  /** The whole text. */
  endWith(rest: Buffer): Buffer {
    const bytes = Buffer.concat([...this.#pieces, rest])
    this.#pieces = []
    this.#bytes = 0
    return bytes
  }
}

/** Cuts a file in which each line is a text of its own, so that a broken line affects no other. */
export class LineCutter implements TextCutter {
  readonly #beginning: Beginning
  #line = 1

  constructor(path: string) {
    this.#beginning = new Beginning(path)
  }

  cut(chunk: Buffer): JsonText[] {
    const found: JsonText[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const bytes = this.#beginning.endWith(chunk.subarray(start, end))
      if (!isBlank(bytes)) found.push({ line: this.#line, bytes, isCut: false })
      this.#line++
      start = end + 1
    }
    if (start < chunk.length) this.#beginning.keep(chunk.subarray(start), this.#line)
    return found
  }

  end(): JsonText | null {
    const bytes = this.#beginning.endWith(Buffer.alloc(0))
    return isBlank(bytes) ? null : { line: this.#line, bytes, isCut: false }
  }
}

/**
 * Cuts JSON that extends over many lines, or has many elements on one: an array's elements, or
 * objects that follow each other.
 */
export class ElementCutter implements TextCutter {
  readonly #beginning: Beginning
  #line = 1
  /** How many brackets are open, those of the array itself not counted. */
  #depth = 0
  #isInArray = false
  #isInString = false
  #isEscaped = false
  /** Whether an element has begun. */
  #isOpen = false
  #startLine = 1

  constructor(path: string) {
    this.#beginning = new Beginning(path)
  }

  cut(chunk: Buffer): JsonText[] {
    const found: JsonText[] = []
    let start = 0
    const end = (at: number) => {
      const bytes = this.#beginning.endWith(chunk.subarray(start, at))
      found.push({ line: this.#startLine, bytes, isCut: false })
      this.#isOpen = false
    }
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (this.#isInString) this.#passString(byte)
      else if (this.#depth === 0 && isBetween(byte)) {
        if (this.#isOpen) end(at)
        if (byte === OPENING_BRACKET) {
          // A nested array is an element.
          if (this.#isInArray) {
            start = this.#open(at)
            this.#depth = 1
          } else this.#isInArray = true
        } else if (byte === CLOSING_BRACKET) this.#isInArray = false
      } else {
        if (!this.#isOpen) start = this.#open(at)
        if (byte === QUOTE) this.#isInString = true
        else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) this.#depth++
        else if ((byte === CLOSING_BRACE || byte === CLOSING_BRACKET) && --this.#depth <= 0) {
          this.#depth = 0
          end(at + 1)
        }
      }
      if (byte === NEWLINE) this.#line++
    }
    if (this.#isOpen) this.#beginning.keep(chunk.subarray(start), this.#startLine)
    return found
  }

  end(): JsonText | null {
    if (!this.#isOpen && !this.#isInArray) return null
    const bytes = this.#beginning.endWith(Buffer.alloc(0))
    const line = this.#isOpen ? this.#startLine : this.#line
    return { line, bytes, isCut: this.#depth > 0 || this.#isInArray || this.#isInString }
  }

  #open(at: number): number {
    this.#isOpen = true
    this.#startLine = this.#line
    return at
  }

  #passString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === BACKSLASH) this.#isEscaped = true
    else if (byte === QUOTE) this.#isInString = false
  }
}

/** Whether a byte is between the elements of an array rather than in one. */
function isBetween(byte: number): boolean {
  return isSpace(byte) || byte === COMMA || byte === OPENING_BRACKET || byte === CLOSING_BRACKET
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every(isSpace)
}
