import { createHash } from 'node:crypto'
import { DEFAULT_SCHEMA, isPostgresAddress } from '../store/postgres/connection/address.js'
import { StoredJournal } from '../store/postgres/stored-journal.js'
import type { DatabaseLocation } from './database-location.js'
import { ObjectStore } from './objects/s3-store.js'
import { ShippedJournal } from './ship/shipped-journal.js'

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

/** Copies of a journal's bytes that aren't on its host. */
export interface OffHostCopy {
  /** Whether it holds all bytes of a segment: they are read and compared with what was recorded. */
  holds(segment: HeldSegment): Promise<boolean>
  close(): Promise<void>
}

/**
 * Opens the copies of a journal, of which one must hold a segment that is archived or pruned.
 *
 * @param shippedTo the `s3://` address that `ship` sends the journal to.
 * @returns null if there are no copies and none are needed: the journal is projected into a file,
 *   and isn't shipped anywhere.
 * @throws PostgresError; ObjectStoreError; InputError PACKAGE_MISSING
 */
export async function openOffHostCopies(
  { database, schema = DEFAULT_SCHEMA, shippedTo }: DatabaseLocation & { shippedTo?: string | undefined },
  journalId: string,
): Promise<OffHostCopy | null> {
  const isShared = isPostgresAddress(database)
  if (!isShared && shippedTo === undefined) return null
  const copies: OffHostCopy[] = []
  const close = async () => {
    for (const copy of copies) await copy.close()
  }
  try {
    if (shippedTo !== undefined) copies.push(await openShipped(shippedTo, journalId))
    if (isShared) copies.push(...(await openChunks(database, schema, journalId)))
  } catch (error) {
    await close()
    throw error
  }
  return {
    async holds(segment) {
      for (const copy of copies) if (await copy.holds(segment)) return true
      return false
    },
    close,
  }
}

/** The objects that `ship` has sent. */
async function openShipped(address: string, journalId: string): Promise<OffHostCopy> {
  const store = await ObjectStore.open(address)
  try {
    const journal = new ShippedJournal(store, journalId)
    const files = await journal.files()
    return {
      async holds({ name, size, recorded }) {
        const file = files.get(name)
        if (file === undefined || file.bytes < Math.max(size, recorded.bytes)) return false
        // The store accepted each part only if its bytes had the hash that was sent along.
        if (file.isWhole && file.bytes === recorded.bytes) return file.sha256 === recorded.sha256
        return await areWhole(journal.read(name), size, recorded)
      },
      close: async () => store.close(),
    }
  } catch (error) {
    store.close()
    throw error
  }
}

/** The bytes that PostgreSQL keeps beside the rows; none if it doesn't know the journal. */
async function openChunks(database: string, schema: string, journalId: string): Promise<OffHostCopy[]> {
  const copy = await StoredJournal.open(database, schema, journalId, { isExclusive: false })
  if (copy === null) return []
  return [
    {
      holds: async ({ id, size, recorded }) => await areWhole(copy.stretches(id), size, recorded),
      close: async () => await copy.close(),
    },
  ]
}

interface Stretch {
  byteOffset: number
  bytes: Buffer
}

/** Whether stretches follow one another without a gap, reach the size, and have the hash. */
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
