/** A value of a row that is copied. */
export type CopyValue = string | number | boolean | null

/** How many bytes the first buffer has room for. */
const START_BYTES = 64 * 1024

/** The greatest length of a number as a string. */
const NUMBER_LENGTH = 32

const TAB = 9
const NEWLINE = 10
const BACKSLASH = 92
const ZERO = 48

/** How the characters that have a meaning in COPY's text format are escaped, by their codes. */
const ESCAPES = new Uint8Array(128)
for (const [character, letter] of ['\\\\', '\tt', '\nn', '\rr']) {
  ESCAPES[character?.charCodeAt(0) ?? 0] = letter?.charCodeAt(0) ?? 0
}

/**
 * Writes rows in COPY's text format into bytes, value by value. When rows were strings that were
 * joined and encoded afterwards, they were most of a projector's garbage.
 */
export class CopyRows {
  #bytes = Buffer.allocUnsafe(START_BYTES)
  #length = 0

  get isEmpty(): boolean {
    return this.#length === 0
  }

  add(values: readonly CopyValue[]): this {
    for (let index = 0; index < values.length; index++) {
      if (index > 0) this.#byte(TAB)
      this.#value(values[index] ?? null)
    }
    this.#byte(NEWLINE)
    return this
  }

  /** Returns the rows that were added, and starts over with none. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.allocUnsafe(START_BYTES)
    this.#length = 0
    return taken
  }

  #value(value: CopyValue): void {
    if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (value === null) this.#ascii('\\N')
    else this.#byte(value ? 116 : 102)
  }

  #text(text: string): void {
    // A character of UTF-16 takes at most three bytes, or two if it is escaped.
    this.#makeRoom(3 * text.length)
    const bytes = this.#bytes
    let at = this.#length
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code === 0 || code > 127) {
        this.#otherText(text)
        return
      }
      const letter = ESCAPES[code]
      if (letter !== 0) bytes[at++] = BACKSLASH
      bytes[at++] = letter || code
    }
    this.#length = at
  }

  /** Writes a string that isn't all ASCII. */
  #otherText(text: string): void {
    // PostgreSQL's type text can't hold NUL.
    const escaped = text.replaceAll(/[\\\t\n\r\0]/g, (found) =>
      found === '\0' ? '\ufffd' : `\\${String.fromCharCode(ESCAPES[found.charCodeAt(0)] ?? 0)}`,
    )
    this.#makeRoom(3 * escaped.length)
    this.#length += this.#bytes.write(escaped, this.#length)
  }

  #number(number: number): void {
    if (!Number.isSafeInteger(number) || number < 0) {
      this.#ascii(String(number))
      return
    }
    this.#makeRoom(NUMBER_LENGTH)
    const bytes = this.#bytes
    const start = this.#length
    let end = start
    for (let rest = number; end === start || rest > 0; ) {
      const next = Math.floor(rest / 10)
      bytes[end++] = ZERO + (rest - 10 * next)
      rest = next
    }
    this.#length = end
    // The last digit came first.
    for (let left = start, right = end - 1; left < right; left++, right--) {
      const digit = bytes[left] ?? 0
      bytes[left] = bytes[right] ?? 0
      bytes[right] = digit
    }
  }

  #ascii(text: string): void {
    this.#makeRoom(text.length)
    for (let index = 0; index < text.length; index++) {
      this.#bytes[this.#length++] = text.charCodeAt(index)
    }
  }

  #byte(byte: number): void {
    this.#makeRoom(1)
    this.#bytes[this.#length++] = byte
  }

  #makeRoom(needed: number): void {
    if (this.#bytes.length - this.#length >= needed) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + needed))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
