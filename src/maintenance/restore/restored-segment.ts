import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { ClaimedSegment, JournalSource } from './journal-source.js'

/** A segment, and what each source that has a part of it says about it. */
interface SegmentToRestore {
  segment: ClaimedSegment['segment']
  claims: { source: JournalSource; claim: ClaimedSegment }[]
}

/** Joins what several sources have of the segments, in the order of the segments. */
export async function segmentsOf(sources: readonly JournalSource[]): Promise<SegmentToRestore[]> {
  const found = new Map<number, SegmentToRestore>()
  for (const source of sources) {
    for (const claim of await source.segments()) {
      if (claim.bytes === 0) continue
      const { segment } = claim
      const known = found.get(segment.id) ?? { segment, claims: [] }
      known.claims.push({ source, claim })
      found.set(segment.id, known)
    }
  }
  return [...found.values()].sort((a, b) => a.segment.id - b.segment.id)
}

/**
 * Writes the bytes of a segment, each stretch from the first source that has it. The result is
 * checked against the checksum of every source, which covers the bytes up to the end of its own
 * copy.
 *
 * @returns how many bytes were written, or what is wrong with them.
 */
export async function writeSegment(
  fd: number,
  { segment, claims }: SegmentToRestore,
  onProgress: (bytes: number) => void,
): Promise<number | string> {
  const size = Math.max(...claims.map(({ claim }) => claim.bytes))
  const checks = claims.map(({ source, claim }) => ({ source, checksum: new Checksum(claim) }))
  for (let offset = 0; offset < size; ) {
    const before = offset
    for (const { source } of claims) {
      for await (const { byteOffset, bytes } of source.read(segment, offset)) {
        if (byteOffset > offset || offset === size) break
        const wanted = bytes.subarray(offset - byteOffset, size - byteOffset)
        writeFileSync(fd, wanted)
        for (const { checksum } of checks) checksum.add(wanted)
        offset += wanted.length
        onProgress(offset)
      }
    }
    if (offset === before) return `${segment.name} lacks the bytes from ${offset} on`
  }
  const wrong = checks.find(({ checksum }) => !checksum.holds())
  return wrong === undefined
    ? size
    : `the bytes of ${segment.name} aren't those that ${wrong.source.name} knows`
}

/** The checksum over the first bytes of a segment. */
class Checksum {
  readonly #claim: ClaimedSegment
  readonly #sha256 = createHash('sha256')
  #crc32 = 0
  #bytes = 0

  constructor(claim: ClaimedSegment) {
    this.#claim = claim
  }

  add(bytes: Buffer): void {
    const counted = bytes.subarray(0, Math.max(0, this.#claim.bytes - this.#bytes))
    this.#bytes += counted.length
    if (typeof this.#claim.checksum === 'number') this.#crc32 = crc32(counted, this.#crc32)
    else this.#sha256.update(counted)
  }

  /** Call it once, after all bytes. */
  holds(): boolean {
    const { checksum } = this.#claim
    return checksum === (typeof checksum === 'number' ? this.#crc32 : this.#sha256.digest('hex'))
  }
}
