import type { Gap } from './json-scanner.js'

/**
 * A longer event isn't remembered: it's rare, and consists mostly of text, which isn't compared.
 */
const MAX_BYTES = 1024

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b

/**
 * Recognizes an event of a stream with the same wanted values as the one before it: all its bytes
 * are the same, except in texts and numbers that aren't wanted. Hundreds of events in a row differ
 * only in the words of the answer, and comparing takes a fifth of the time of scanning: 0.6 µs an
 * event rather than 2.7.
 *
 * It keeps the bytes around those texts, at most 1 KiB, and nothing of the texts.
 */
export class RepeatedEvent {
  /** Allocated for the first event, since most answers aren't streams. */
  #fixed: Uint8Array | null = null
  /** Where each fixed part ends; after each but the last comes a gap. */
  #ends: number[] = []
  /** Which bytes each gap may consist of; null for a text, which goes up to its quote. */
  #gapBytes: (Uint8Array | null)[] = []

  /** Whether an event may be remembered, once it has been scanned. */
  static isShort(bytes: Buffer, start: number, end: number): boolean {
    // An array would be several documents.
    return end - start <= MAX_BYTES && bytes[start] === OPEN_OBJECT
  }

  /** Remembers an event that has been scanned to its end. */
  remember(bytes: Buffer, start: number, end: number, gaps: readonly Gap[]): void {
    this.forget()
    this.#fixed ??= new Uint8Array(MAX_BYTES)
    const fixed = this.#fixed
    let from = start
    let length = 0
    for (let index = 0; index <= gaps.length; index++) {
      const gap = gaps[index]
      const to = gap?.from ?? end
      while (from < to) fixed[length++] = bytes[from++] as number
      this.#ends.push(length)
      if (gap === undefined) return
      this.#gapBytes.push(gap.bytes)
      from = gap.to
    }
  }

  forget(): void {
    this.#ends.length = 0
    this.#gapBytes.length = 0
  }

  /** Whether the bytes from `start` to before `end` repeat the event that is remembered. */
  isRepeatedBy(bytes: Buffer, start: number, end: number): boolean {
    const parts = this.#ends.length
    const fixed = this.#fixed
    if (fixed === null) return false
    let at = start
    let compared = 0
    for (let part = 0; part < parts; part++) {
      const partEnd = this.#ends[part] as number
      if (at + partEnd - compared > end) return false
      while (compared < partEnd) if (bytes[at++] !== fixed[compared++]) return false
      if (part === parts - 1) return at === end
      const gapBytes = this.#gapBytes[part] as Uint8Array | null
      if (gapBytes === null) {
        while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
      } else {
        while (at < end && gapBytes[bytes[at] as number] === 1) at++
      }
    }
    return false
  }
}
