import type { ToldObject } from './usage/wanted.js'

/** The head of a part is shorter, and so is the value of a field that is wanted. */
const MAX_HEAD_BYTES = 4096
const MAX_VALUE_BYTES = 1024

const HEAD_END = Buffer.from('\r\n\r\n')
const NO_BYTES = Buffer.alloc(0)

/**
 * Reads a few fields of a form (`multipart/form-data`, RFC 7578), in chunks cut anywhere. Files and
 * other fields are passed over by their boundaries; at most 4 KiB are kept from one chunk to the next.
 */
export class FormFields {
  /** The fields found so far. */
  readonly told: ToldObject = {}
  readonly #wanted: readonly string[]
  readonly #delimiter: Buffer
  #state: 'first boundary' | 'head' | 'value' | 'passed over' = 'first boundary'
  #name = ''
  #kept: Buffer = NO_BYTES

  constructor(boundary: string, wanted: readonly string[]) {
    this.#wanted = wanted
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  push(chunk: Buffer): void {
    const bytes = this.#isKeptOver(chunk) ? chunk : Buffer.concat([this.#kept, chunk])
    let at = 0
    for (let next = this.#step(bytes, at); next !== null; next = this.#step(bytes, at)) at = next
    // Of a part that is passed over, only the beginning of a delimiter can matter.
    if (this.#state === 'passed over') at = Math.max(at, bytes.length - this.#delimiter.length + 1)
    // A copy, since the chunk is its owner's.
    this.#kept = Buffer.from(bytes.subarray(at))
  }

  /** Whether no delimiter begins in the bytes that were kept. Then a file's chunk isn't copied. */
  #isKeptOver(chunk: Buffer): boolean {
    if (this.#kept.length === 0) return true
    if (this.#state !== 'passed over' || chunk.length < this.#delimiter.length) return false
    const border = Buffer.concat([this.#kept, chunk.subarray(0, this.#delimiter.length - 1)])
    return !border.includes(this.#delimiter)
  }

  /** @returns the offset from which to go on at once; null if the bytes there need those that follow */
  #step(bytes: Buffer, at: number): number | null {
    const delimiter = this.#delimiter
    switch (this.#state) {
      case 'first boundary': {
        // No line ends before it.
        const first = delimiter.subarray(2)
        if (bytes.length < first.length) return null
        const isFirst = bytes.subarray(0, first.length).equals(first)
        this.#state = isFirst ? 'head' : 'passed over'
        return isFirst ? first.length : 0
      }
      case 'head': {
        const end = bytes.indexOf(HEAD_END, at)
        const headBytes = (end === -1 ? bytes.length - HEAD_END.length : end) - at
        if (headBytes > MAX_HEAD_BYTES) return this.#passOver(at)
        if (end === -1) return null
        const [, name = ''] = /\bname="([^"]*)"/.exec(bytes.toString('latin1', at, end)) ?? []
        this.#name = name
        this.#state = this.#wanted.includes(name) ? 'value' : 'passed over'
        return end + HEAD_END.length
      }
      case 'value': {
        const end = bytes.indexOf(delimiter, at)
        const valueBytes = (end === -1 ? bytes.length - delimiter.length : end) - at
        if (valueBytes > MAX_VALUE_BYTES) return this.#passOver(at)
        if (end === -1) return null
        this.told[this.#name] = bytes.toString('utf8', at, end)
        this.#state = 'head'
        return end + delimiter.length
      }
      case 'passed over': {
        const end = bytes.indexOf(delimiter, at)
        if (end === -1) return null
        this.#state = 'head'
        return end + delimiter.length
      }
    }
  }

  /** Gives up a part that is too long to be wanted. */
  #passOver(at: number): number {
    this.#state = 'passed over'
    return at
  }
}
