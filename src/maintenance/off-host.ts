import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { DEFAULT_SCHEMA, isPostgresAddress } from '../store/postgres/connection/address.js'
import { JournalCopy } from '../store/postgres/journal-copy.js'
import type { ReadDatabase } from './read-from.js'

const decompress = promisify(gunzip)

/** A segment that its host is about to do without. */
export interface HeldSegment {
  id: number
  name: string
  /** How many bytes it has, uncompressed. */
  size: number
  /** What the manifest recorded of it: the SHA-256 of its first bytes, which may be all of them. */
  recorded: { bytes: number; sha256: string }
}

/** A copy of a journal's bytes that isn't on its host. */
export interface OffHostCopy {
  /** Whether it holds all bytes of a segment: they are read and compared with what was recorded. */
  holds(segment: HeldSegment): Promise<boolean>
  close(): Promise<void>
}

/** The copies of a journal that aren't on its host. */
export class OffHostCopies {
  /** Null: the journal has only its host, which loses a segment for good. */
  readonly #copies: readonly OffHostCopy[] | null

  /**
   * Opens the copies of a journal. One that is projected into a file has none, and needs none.
   *
   * @throws PostgresError
   */
  static async open({ database, schema = DEFAULT_SCHEMA }: ReadDatabase, journalId: string) {
    if (!isPostgresAddress(database)) return new OffHostCopies(null)
    const copy = await JournalCopy.open(database, schema, journalId, { isExclusive: false })
    return new OffHostCopies(copy === null ? [] : [new ChunkCopy(copy)])
  }

  private constructor(copies: readonly OffHostCopy[] | null) {
    this.#copies = copies
  }

  /** Whether the host may do without a segment. */
  async allow(segment: HeldSegment): Promise<boolean> {
    if (this.#copies === null) return true
    for (const copy of this.#copies) if (await copy.holds(segment)) return true
    return false
  }

  async close(): Promise<void> {
    for (const copy of this.#copies ?? []) await copy.close()
  }
}

/** The bytes that PostgreSQL keeps beside the rows. */
class ChunkCopy implements OffHostCopy {
  readonly #copy: JournalCopy

  constructor(copy: JournalCopy) {
    this.#copy = copy
  }

  async holds({ id, size, recorded }: HeldSegment): Promise<boolean> {
    const hash = createHash('sha256')
    let offset = 0
    for await (const { byteOffset, bytes } of this.#copy.chunks(id)) {
      if (byteOffset !== offset) return false
      const plain = await decompress(bytes).catch(() => null)
      if (plain === null) return false
      hash.update(plain.subarray(0, Math.max(0, recorded.bytes - offset)))
      offset += plain.length
    }
    return offset >= Math.max(size, recorded.bytes) && hash.digest('hex') === recorded.sha256
  }

  async close(): Promise<void> {
    await this.#copy.close()
  }
}
