import { MANIFEST_FILE } from '../../journal/chain/manifest.js'
import { IDENTITY_FILE } from '../../journal/journal-identity.js'
import { parseSegmentName, type SegmentRef } from '../../journal/segments.js'
import type { JournalFile } from '../../store/port.js'
import { StoredJournal } from '../../store/postgres/stored-journal.js'
import { ObjectStore } from '../objects/s3-store.js'
import { ShippedJournal } from '../ship/shipped-journal.js'
import { RestoreError } from './errors.js'

/**
 * The bytes of a segment that a source claims to have: all up to an offset, with their checksum.
 */
export interface ClaimedSegment {
  segment: Pick<SegmentRef, 'id' | 'name'>
  bytes: number
  /** Of all these bytes: the CRC-32 as a number, or the SHA-256 in hex. */
  checksum: number | string
}

/** A place that holds a copy of a journal. */
export interface JournalSource {
  /** The place, for messages. */
  readonly name: string
  /** Why bytes may be missing in it. */
  readonly whyMissing: string
  /** `journal.json` and the manifest. */
  files(): Promise<JournalFile[]>
  segments(): Promise<ClaimedSegment[]>
  /** The stretches of a segment in order, beginning with the one that has the byte at an offset. */
  read(
    segment: ClaimedSegment['segment'],
    fromOffset: number,
  ): AsyncIterable<{ byteOffset: number; bytes: Buffer }>
  close(): Promise<void>
}

/**
 * The copy in a PostgreSQL database: everything that was projected, with the newest lines.
 *
 * @throws RestoreError JOURNAL_UNKNOWN; PostgresError like `StoredJournal.open`.
 */
export async function databaseSource(
  database: string,
  schema: string,
  journalId: string,
): Promise<JournalSource> {
  const copy = await StoredJournal.open(database, schema, journalId)
  if (copy === null) throw unknown(database, journalId)
  return {
    name: database,
    whyMissing: 'a projector or replay with --no-chunks leaves them out, or a chunk is damaged',
    files: async () => await copy.files(),
    async segments() {
      const positions = await copy.segments()
      return positions.map(({ id, name, projectedBytes, projectedCrc32 }) => ({
        segment: { id, name },
        bytes: projectedBytes,
        checksum: projectedCrc32,
      }))
    },
    read: ({ id }, fromOffset) => copy.stretches(id, fromOffset),
    close: async () => await copy.close(),
  }
}

/**
 * The copy that `ship` has sent: segments of days that are over.
 *
 * @throws RestoreError JOURNAL_UNKNOWN; ObjectStoreError; InputError PACKAGE_MISSING.
 */
export async function shippedSource(address: string, journalId: string): Promise<JournalSource> {
  const store = await ObjectStore.open(address)
  try {
    const copy = new ShippedJournal(store, journalId)
    const found = await copy.files()
    if (!found.has(IDENTITY_FILE)) throw unknown(store.name, journalId)
    return {
      name: store.name,
      whyMissing: 'objects were removed',
      async files() {
        const files: JournalFile[] = []
        for (const name of [IDENTITY_FILE, MANIFEST_FILE]) {
          const file = found.get(name)
          if (file === undefined) continue
          const parts: Buffer[] = []
          for await (const { bytes } of copy.read(name)) parts.push(bytes)
          files.push({ name, mode: file.mode, bytes: Buffer.concat(parts) })
        }
        return files
      },
      async segments() {
        return [...found].flatMap(([name, { bytes, sha256 }]) => {
          const segment = parseSegmentName(name)
          return segment === null ? [] : [{ segment, bytes, checksum: sha256 }]
        })
      },
      read: ({ name }, fromOffset) => copy.read(name, fromOffset),
      close: async () => store.close(),
    }
  } catch (error) {
    store.close()
    throw error
  }
}

function unknown(name: string, journalId: string): RestoreError {
  const advice = 'the ids are those of the table journals, and of each journal.json'
  return new RestoreError('JOURNAL_UNKNOWN', `${name} has no journal ${journalId}: ${advice}`)
}
