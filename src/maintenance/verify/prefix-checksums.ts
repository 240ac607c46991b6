import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Computes checksums over the beginning of a segment while its bytes are read. */
export class PrefixChecksums {
  /** CRC-32 of the first `crcBytes` bytes. */
  crc32 = 0
  readonly #crcBytes: number
  /** By length: the SHA-256 of that many bytes, once they have passed. */
  readonly #digests = new Map<number, string>()
  readonly #hashLengths: number[]
  readonly #hash = createHash('sha256')
  #passed = 0

  /** @param hashLengths the lengths whose digests are wanted. */
  constructor(crcBytes: number, hashLengths: readonly number[]) {
    this.#crcBytes = crcBytes
    this.#hashLengths = [...new Set(hashLengths)].sort((a, b) => a - b)
    // A segment may have been sealed before anything was written to it.
    this.add(Buffer.alloc(0))
  }

  add(bytes: Buffer): void {
    const start = this.#passed
    if (start < this.#crcBytes) this.crc32 = crc32(bytes.subarray(0, this.#crcBytes - start), this.crc32)
    let hashed = 0
    for (let length = this.#hashLengths[0]; length !== undefined; length = this.#hashLengths[0]) {
      const end = Math.min(bytes.length, length - start)
      this.#hash.update(bytes.subarray(hashed, end))
      hashed = end
      if (start + end < length) break
      this.#digests.set(length, this.#hash.copy().digest('hex'))
      this.#hashLengths.shift()
    }
    this.#passed += bytes.length
  }

  /** The SHA-256 of the first bytes; undefined until so many bytes were added. */
  sha256(length: number): string | undefined {
    return this.#digests.get(length)
  }
}
