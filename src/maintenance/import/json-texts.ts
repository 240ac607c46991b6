import { InputError } from '../errors.js'
import { fileBytes } from '../file-bytes.js'

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

const NOTHING = Buffer.alloc(0)

/**
 * Reads a file in which each line is a text of its own, so that a broken line affects no other.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_VALUE
 */
export async function* readLines(path: string): AsyncGenerator<JsonText> {
  const beginning = new Beginning(path)
  let line = 1
  for await (const chunk of bytesOf(path)) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const bytes = beginning.endWith(chunk.subarray(start, end))
      if (!isBlank(bytes)) yield { line, bytes, isCut: false }
      line++
      start = end + 1
    }
    beginning.keep(chunk.subarray(start), line)
  }
  const bytes = beginning.endWith(NOTHING)
  if (!isBlank(bytes)) yield { line, bytes, isCut: false }
}

/**
 * Reads JSON that extends over many lines, or has many elements on one: an array's elements, or
 * objects that follow each other.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_VALUE
 */
export async function* readElements(path: string): AsyncGenerator<JsonText> {
  const beginning = new Beginning(path)
  let line = 1
  // How many brackets are open, those of the array itself not counted.
  let depth = 0
  let [isInArray, isInString, isEscaped] = [false, false, false]
  // Whether an element has begun, and on which line.
  let [isOpen, startLine] = [false, 1]
  for await (const chunk of bytesOf(path)) {
    let start = 0
    const elementUpTo = (at: number): JsonText => {
      isOpen = false
      return { line: startLine, bytes: beginning.endWith(chunk.subarray(start, at)), isCut: false }
    }
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number
      const isOutside = depth === 0 && !isInString && isBetween(byte)
      if (isOutside && isOpen) yield elementUpTo(at)
      if (isInString) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) isInString = false
      } else if (isOutside && byte === CLOSING_BRACKET) isInArray = false
      else if (isOutside && byte === OPENING_BRACKET && !isInArray) isInArray = true
      // An array within the array is an element.
      else if (!isOutside || byte === OPENING_BRACKET) {
        if (!isOpen) [isOpen, startLine, start] = [true, line, at]
        if (byte === QUOTE) isInString = true
        else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) depth++
        else if ((byte === CLOSING_BRACE || byte === CLOSING_BRACKET) && --depth <= 0) {
          depth = 0
          yield elementUpTo(at + 1)
        }
      }
      if (byte === NEWLINE) line++
    }
    if (isOpen) beginning.keep(chunk.subarray(start), startLine)
  }
  if (isOpen || isInArray) {
    const isCut = depth > 0 || isInArray || isInString
    yield { line: isOpen ? startLine : line, bytes: beginning.endWith(NOTHING), isCut }
  }
}

/** Reads the bytes of a file without a byte order mark. */
async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of fileBytes(path)) {
    const hasMark = isFirst && chunk.subarray(0, 3).toString('latin1') === '\u00EF\u00BB\u00BF'
    yield hasMark ? chunk.subarray(3) : chunk
    isFirst = false
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
