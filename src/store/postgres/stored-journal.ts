import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { MANIFEST_FILE } from '../../journal/chain/manifest.js'
import { IDENTITY_FILE } from '../../journal/journal-identity.js'
import { VERSION } from '../../package/package-files.js'
import type { JournalFile } from '../port.js'
import type { SegmentPosition } from '../positions.js'
import { postgresAddress } from './connection/address.js'
import { Connection } from './connection/connection.js'
import type { JournalConnection } from './journal-connection.js'
import { findJournal, lock } from './postgres-store.js'
import { checkSchema } from './schema/migrations.js'
import { readPositions } from './segment-queries.js'

/** How many chunks are read at a time. Each holds at most 1 MiB of a journal. */
const PAGE_CHUNKS = 16

/** How long to wait for a projector that may just be ending. */
const LOCK_WAIT_MS = 1000

const decompress = promisify(gunzip)

/**
 * Reads back the copy of a journal that PostgreSQL holds: what `JournalChunks` and `keepFile` have
 * written, as it was when this was opened.
 */
export class StoredJournal {
  readonly #journal: JournalConnection

  /**
   * Opens the copy of a journal. With `isExclusive`, projectors and replays of the journal are kept
   * out until the copy is closed; otherwise they may write meanwhile.
   *
   * @returns null if the database doesn't know the journal.
   * @throws PostgresError PROJECTOR_RUNNING; otherwise like `Connection.open` and `checkSchema`.
   */
  static async open(
    database: string,
    schema: string,
    journalId: string,
    { isExclusive = true } = {},
  ): Promise<StoredJournal | null> {
    const address = postgresAddress(database)
    const connection = await Connection.open({ address, schema, purpose: `copy ${VERSION}` })
    try {
      const journal = await connection.transaction(async () => {
        await checkSchema(connection, schema)
        return await findJournal(connection, journalId)
      })
      if (journal === null) {
        await connection.close()
        return null
      }
      if (isExclusive) {
        await connection.refusePooler()
        await lock(journal, schema, LOCK_WAIT_MS)
      }
      await connection.begin()
      return new StoredJournal(journal)
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  private constructor(journal: JournalConnection) {
    this.#journal = journal
  }

  /** Returns journal.json and the manifest, as they were when the host last stored them. */
  async files(): Promise<JournalFile[]> {
    const sql = 'SELECT name, mode, bytes FROM journal_files WHERE journal = $1 AND name = ANY ($2::text[])'
    return await this.#journal.all<JournalFile>(sql, [IDENTITY_FILE, MANIFEST_FILE])
  }

  /**
   * Returns the segments that were projected and not pruned, in order, and how far each was
   * projected.
   */
  async segments(): Promise<SegmentPosition[]> {
    return await readPositions(this.#journal)
  }

  /**
   * Yields the bytes of a segment in stretches, in the order of their offsets, beginning with the
   * one that has the byte at an offset. Ends before a chunk that isn't gzip: its bytes are missing.
   */
  async *stretches(segmentId: number, fromOffset = 0): AsyncGenerator<{ byteOffset: number; bytes: Buffer }> {
    const first = await this.#journal.one<{ byte_offset: number | null }>(
      `SELECT max(byte_offset) AS byte_offset FROM journal_chunks
       WHERE journal = $1 AND segment_id = $2 AND byte_offset <= $3`,
      segmentId,
      fromOffset,
    )
    let after = (first?.byte_offset ?? 0) - 1
    for (;;) {
      const page = await this.#journal.all<{ byte_offset: number; bytes: Buffer }>(
        `SELECT byte_offset, bytes FROM journal_chunks
         WHERE journal = $1 AND segment_id = $2 AND byte_offset > $3 ORDER BY byte_offset LIMIT ${PAGE_CHUNKS}`,
        segmentId,
        after,
      )
      for (const { byte_offset, bytes } of page) {
        const plain = await decompress(bytes).catch(() => null)
        if (plain === null) return
        yield { byteOffset: byte_offset, bytes: plain }
        after = byte_offset
      }
      if (page.length < PAGE_CHUNKS) return
    }
  }

  async close(): Promise<void> {
    await this.#journal.connection.close()
  }
}
