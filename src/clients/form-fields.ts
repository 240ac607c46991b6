import type { ScannedObject } from './usage/wanted-members.js'

/** A part with a longer head isn't a wanted field, and neither is one with a longer value. */
const MAX_HEAD_BYTES = 4096
const MAX_VALUE_BYTES = 1024

const HEAD_END = Buffer.from('\r\n\r\n')
const NO_BYTES = Buffer.alloc(0)

/**
 * Finds a few fields in a form (`multipart/form-data`, RFC 7578) that comes in chunks cut anywhere.
 * Files and other fields are skipped up to their boundaries. At most 4 KiB are kept from one chunk
 * to the next.
 */
export class FormFields {
  /** The fields found so far. */
  readonly found: ScannedObject = {}
  readonly #wanted: readonly string[]
  readonly #delimiter: Buffer
  #state: 'first boundary' | 'head' | 'value' | 'skipped' = 'first boundary'
  #name = ''
  #kept: Buffer = NO_BYTES

  constructor(boundary: string, wanted: readonly string[]) {
    this.#wanted = wanted
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  push(chunk: Buffer): void {
    const bytes = this.#canForgetKept(chunk) ? chunk : Buffer.concat([this.#kept, chunk])
    let at = 0
    for (let next = this.#step(bytes, at); next !== null; next = this.#step(bytes, at)) at = next
    // In a part that is skipped, only what may be the beginning of a delimiter matters.
    if (this.#state === 'skipped') at = Math.max(at, bytes.length - this.#delimiter.length + 1)
    // Copied, because the caller may reuse the chunk.
    this.#kept = Buffer.from(bytes.subarray(at))
  }

  /**
   * Whether no delimiter begins in the bytes that were kept, so that the chunk can be read on its
   * own. Otherwise every chunk of a long file would be copied.
   */
  #canForgetKept(chunk: Buffer): boolean {
    if (this.#kept.length === 0) return true
    if (this.#state !== 'skipped' || chunk.length < this.#delimiter.length) return false
    const border = Buffer.concat([this.#kept, chunk.subarray(0, this.#delimiter.length - 1)])
    return !border.includes(this.#delimiter)
  }

  /** @returns the offset to continue at; null if that takes bytes of the next chunk. */
  #step(bytes: Buffer, at: number): number | null {
    const delimiter = this.#delimiter
    switch (this.#state) {
      case 'first boundary': {
        // The first boundary has no line break before it.
        const first = delimiter.subarray(2)
        if (bytes.length < first.length) return null
        const isFirst = bytes.subarray(0, first.length).equals(first)
        this.#state = isFirst ? 'head' : 'skipped'
        return isFirst ? first.length : 0
      }
      case 'head': {
        const end = bytes.indexOf(HEAD_END, at)
        const headBytes = (end === -1 ? bytes.length - HEAD_END.length : end) - at
        if (headBytes > MAX_HEAD_BYTES) return this.#skip(at)
        if (end === -1) return null
        const [, name = ''] = /\bname="([^"]*)"/.exec(bytes.toString('latin1', at, end)) ?? []
        this.#name = name
        this.#state = this.#wanted.includes(name) ? 'value' : 'skipped'
        return end + HEAD_END.length
      }
      case 'value': {
        const end = bytes.indexOf(delimiter, at)
        const valueBytes = (end === -1 ? bytes.length - delimiter.length : end) - at
        if (valueBytes > MAX_VALUE_BYTES) return this.#skip(at)
        if (end === -1) return null
        this.found[this.#name] = bytes.toString('utf8', at, end)
        this.#state = 'head'
        return end + delimiter.length
      }
      case 'skipped': {
        const end = bytes.indexOf(delimiter, at)
        if (end === -1) return null
        this.#state = 'head'
        return end + delimiter.length
      }
    }
  }

  /** Skips the rest of a part that is too long to be a wanted field. */
  #skip(at: number): number {
    this.#state = 'skipped'
    return at
  }
}
