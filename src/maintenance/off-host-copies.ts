import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { DEFAULT_SCHEMA, isPostgresAddress } from '../store/postgres/connection/address.js'
import { StoredJournal } from '../store/postgres/stored-journal.js'
import type { DatabaseLocation } from './database-location.js'
import type { ObjectStore } from './objects/object-store.js'
import { openS3 } from './objects/s3-store.js'
import { type ShippedFile, ShippedJournal } from './ship/shipped-journal.js'

const decompress = promisify(gunzip)

/** A segment that is to be archived or pruned. */
export interface HeldSegment {
  id: number
  name: string
  /** How many bytes it has, uncompressed. */
  size: number
  /**
   * What the manifest recorded: how many bytes from the first on, perhaps all, and their SHA-256.
   */
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
  /** Null: there are no copies, and none are needed. */
  readonly #copies: readonly OffHostCopy[] | null

  /**
   * Opens the copies of a journal. A journal that is projected into a file, and isn't shipped
   * anywhere, has none and needs none.
   *
   * @param shippedTo the `s3://` address that `ship` sends the journal to.
   * @throws PostgresError; ObjectStoreError; InputError PACKAGE_MISSING
   */
  static async open(
    { database, schema = DEFAULT_SCHEMA, shippedTo }: DatabaseLocation & { shippedTo?: string | undefined },
    journalId: string,
  ): Promise<OffHostCopies> {
    const isShared = isPostgresAddress(database)
    if (!isShared && shippedTo === undefined) return new OffHostCopies(null)
    const shipped = shippedTo === undefined ? [] : [await ShippedCopy.open(shippedTo, journalId)]
    const copy = isShared
      ? await StoredJournal.open(database, schema, journalId, { isExclusive: false })
      : null
    return new OffHostCopies(copy === null ? shipped : [...shipped, new ChunkCopy(copy)])
  }

  private constructor(copies: readonly OffHostCopy[] | null) {
    this.#copies = copies
  }

  /** Whether a segment may be archived or pruned: a copy holds all of it, or none is needed. */
  async isCovered(segment: HeldSegment): Promise<boolean> {
    if (this.#copies === null) return true
    for (const copy of this.#copies) if (await copy.holds(segment)) return true
    return false
  }

  async close(): Promise<void> {
    for (const copy of this.#copies ?? []) await copy.close()
  }
}

/** The objects that `ship` has sent. */
class ShippedCopy implements OffHostCopy {
  readonly #store: ObjectStore
  readonly #journal: ShippedJournal
  readonly #files: ReadonlyMap<string, ShippedFile>

  static async open(address: string, journalId: string): Promise<ShippedCopy> {
    const store = await openS3(address)
    try {
      const journal = new ShippedJournal(store, journalId)
      return new ShippedCopy(store, journal, await journal.files())
    } catch (error) {
      store.close()
      throw error
    }
  }

  private constructor(store: ObjectStore, journal: ShippedJournal, files: ReadonlyMap<string, ShippedFile>) {
    this.#store = store
    this.#journal = journal
    this.#files = files
  }

  async holds({ name, size, recorded }: HeldSegment): Promise<boolean> {
    const file = this.#files.get(name)
    if (file === undefined || file.bytes < Math.max(size, recorded.bytes)) return false
    // The store accepted each part only if its bytes had the hash that was sent along.
    if (file.isWhole && file.bytes === recorded.bytes) return file.sha256 === recorded.sha256
    return await areWhole(this.#journal.read(name), size, recorded)
  }

  async close(): Promise<void> {
    this.#store.close()
  }
}

/** The bytes that PostgreSQL keeps beside the rows. */
class ChunkCopy implements OffHostCopy {
  readonly #copy: StoredJournal

  constructor(copy: StoredJournal) {
    this.#copy = copy
  }

  async holds({ id, size, recorded }: HeldSegment): Promise<boolean> {
    return await areWhole(this.#chunks(id), size, recorded)
  }

  async close(): Promise<void> {
    await this.#copy.close()
  }

  /** Ends before a chunk that isn't gzip. */
  async *#chunks(id: number): AsyncGenerator<Stretch> {
    for await (const { byteOffset, bytes } of this.#copy.chunks(id)) {
      const plain = await decompress(bytes).catch(() => null)
      if (plain === null) return
      yield { byteOffset, bytes: plain }
    }
  }
}

interface Stretch {
  byteOffset: number
  bytes: Buffer
}

/**
 * Whether the stretches follow one another without a gap, reach the size, and have the recorded
 * hash.
 */
async function areWhole(
  stretches: AsyncIterable<Stretch>,
  size: number,
  recorded: HeldSegment['recorded'],
): Promise<boolean> {
  const hash = createHash('sha256')
  let offset = 0
  for await (const { byteOffset, bytes } of stretches) {
    if (byteOffset !== offset) return false
    hash.update(bytes.subarray(0, Math.max(0, recorded.bytes - offset)))
    offset += bytes.length
  }
  return offset >= Math.max(size, recorded.bytes) && hash.digest('hex') === recorded.sha256
}
