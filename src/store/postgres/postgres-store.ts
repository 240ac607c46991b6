import { hostname } from 'node:os'
import type { PriceBook } from '../../folds/costs/price-book.js'
import type { FileIdentity } from '../../journal/file-identity.js'
import type { JournalFile, RebuildOptions, RebuildTransaction, Store, StoreTransaction } from '../port.js'
import type { SegmentPosition } from '../positions.js'
import { PrunedSegments } from '../pruned-segments.js'
import type { RowPruner } from '../row-pruner.js'
import { DEFAULT_SCHEMA, postgresAddress } from './connection/address.js'
import { Connection } from './connection/connection.js'
import { isLockTimeout, PostgresError } from './connection/errors.js'
import { checkVersions, storeVersions } from './fold-versions.js'
import { JournalChunks, keepFile } from './journal-chunks.js'
import { JournalConnection } from './journal-connection.js'
import { Partitions } from './partitions.js'
import { PostgresPruner } from './postgres-pruner.js'
import { beginRebuild } from './postgres-rebuild.js'
import { PostgresTransaction, type TransactionOptions } from './postgres-transaction.js'
import { readPriceBook } from './price-rows.js'
import { chooseRollupLabels, rollupLabels } from './rollup-labels.js'
import { RollupWriter } from './rollup-writer.js'
import { IDS_PER_JOURNAL } from './row-ids.js'
import { checkSchema } from './schema/migrations.js'
import {
  acceptedMissing,
  prunedThrough,
  readPositions,
  rememberFile,
  replaceAcceptedMissing,
} from './segment-queries.js'

export interface PostgresStoreOptions {
  /** `postgres://…`, without a password. */
  address: string
  /** The journal whose rows this store writes. */
  journalId: string
  /** The version of this program, for `journals`. */
  version: string
  /** @default 'request_journal' */
  schema?: string | undefined
  purpose: 'project' | 'replay' | 'prune'
  /** How long a statement may wait for a lock, in milliseconds. @default no limit */
  lockTimeoutMs?: number | undefined
  /** Whether the journal's bytes are kept beside the rows. @default true */
  chunks?: boolean | undefined
}

/**
 * A store in a PostgreSQL database, for one journal's rows in tables that many journals share. A
 * session-level lock keeps other writers of these rows out until the connection ends.
 */
export class PostgresStore implements Store {
  readonly name: string
  readonly #connection: Connection
  readonly #journal: JournalConnection
  readonly #journalId: string
  readonly #rollups: RollupWriter
  readonly #partitions: Partitions
  readonly #chunks: JournalChunks | null
  readonly keepFile?: (file: JournalFile) => Promise<void>
  /** The prices and rates that are stored; null if they haven't been read yet. */
  #book: PriceBook | null = null
  /** The journal's `last_seen` as the last commit stored it, which nobody else changes. */
  #lastSeen: string

  /**
   * @throws PostgresError, as a rejection: PROJECTOR_RUNNING while another process is writing
   *   this journal's rows; POOLER_BETWEEN; otherwise like `postgresAddress`, `Connection.open` and
   *   `checkSchema`.
   */
  static async open(options: PostgresStoreOptions): Promise<PostgresStore> {
    const { schema = DEFAULT_SCHEMA, purpose, journalId, lockTimeoutMs, chunks = true } = options
    const address = postgresAddress(options.address)
    const connection = await Connection.open({
      address,
      schema,
      purpose,
      lockTimeoutMs,
      keepsStatements: true,
    })
    try {
      await connection.refusePooler()
      const journal = await connection.transaction(async () => {
        await checkSchema(connection, schema)
        return await findOrAddJournal(connection, journalId)
      })
      await lock(journal, schema, lockTimeoutMs)
      const note =
        'UPDATE journals SET host = $2, version = $3, last_seen = now() WHERE number = $1 RETURNING last_seen::text'
      const noted = await connection.transaction(() =>
        journal.one<{ last_seen: string }>(note, hostname(), options.version),
      )
      return new PostgresStore(journal, { journalId, chunks, lastSeen: noted?.last_seen ?? '' })
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  private constructor(
    journal: JournalConnection,
    { journalId, chunks, lastSeen }: { journalId: string; chunks: boolean; lastSeen: string },
  ) {
    this.#journalId = journalId
    this.#lastSeen = lastSeen
    this.#journal = journal
    this.#connection = journal.connection
    this.name = journal.connection.name
    this.#rollups = new RollupWriter(journal)
    this.#partitions = new Partitions(journal.connection)
    this.#chunks = chunks ? new JournalChunks(journal) : null
    if (chunks) this.keepFile = (file) => this.#inTransaction((journal) => keepFile(journal, file))
  }

  async positions(): Promise<SegmentPosition[]> {
    return await this.#inTransaction(readPositions)
  }

  async rememberFile(segmentId: number, file: FileIdentity): Promise<void> {
    await this.#inTransaction((journal) => rememberFile(journal, segmentId, file))
  }

  async pruned(): Promise<PrunedSegments> {
    return new PrunedSegments(await this.#inTransaction(prunedThrough))
  }

  async acceptedMissing(): Promise<Set<string>> {
    return await this.#inTransaction(acceptedMissing)
  }

  async replaceAcceptedMissing(names: readonly string[]): Promise<void> {
    await this.#inTransaction((journal) => replaceAcceptedMissing(journal, names))
  }

  async rollupLabels(): Promise<string[]> {
    return await this.#inTransaction(({ connection }) => rollupLabels(connection))
  }

  async chooseRollupLabels(asked: readonly string[] | undefined): Promise<string[]> {
    return await this.#inTransaction(({ connection }) => chooseRollupLabels(connection, asked))
  }

  async checkVersions(): Promise<void> {
    await this.#inTransaction(checkVersions)
  }

  async checkIsThere(): Promise<void> {
    if (!this.#connection.isLost) return
    throw new PostgresError('SERVER_AWAY', this.name, 'the connection was lost')
  }

  async isWorthBulk(): Promise<boolean> {
    // Rows are inserted by COPY either way, and a long transaction would only make others wait for
    // its locks.
    return false
  }

  async hasRowsToReprice(): Promise<boolean> {
    const sql = 'SELECT 1 FROM repricing WHERE journal = $1 LIMIT 1'
    return (await this.#inTransaction((journal) => journal.one(sql))) !== undefined
  }

  async begin(_: 'usual' | 'bulk'): Promise<StoreTransaction> {
    return await this.#begin(async (options, nextOrdinal) => {
      const held = await this.#journal.one('SELECT 1 FROM held_completions WHERE journal = $1 LIMIT 1')
      const nextId = this.#journal.number * IDS_PER_JOURNAL + nextOrdinal
      return new PostgresTransaction({ ...options, nextId, mayHaveHeldCompletions: held !== undefined })
    })
  }

  async beginRebuild(options: RebuildOptions): Promise<RebuildTransaction> {
    // While a partition is being made, nobody else can read or write the table until that
    // transaction ends, so each partition gets a short transaction of its own.
    for (const day of this.#partitions.unknown(options.days ?? [])) {
      await this.#connection.transaction(() => this.#partitions.make(day))
    }
    return await this.#begin((transaction) => beginRebuild({ ...transaction, partitions: null }, options))
  }

  /**
   * Removes the rows of this journal's oldest segments. Call it only when no repricing is pending.
   *
   * @param through the id of the last segment whose rows are removed.
   * @param chunksThrough the id of the last segment whose bytes are removed too; 0 if the bytes
   *   stay.
   */
  async pruner(through: number, chunksThrough: number): Promise<RowPruner> {
    const rollupLabels = await this.rollupLabels()
    const begin = () => this.begin('usual')
    return new PostgresPruner({ journal: this.#journal, begin, rollupLabels, through, chunksThrough })
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async #begin<T>(
    action: (
      options: Omit<TransactionOptions, 'nextId' | 'mayHaveHeldCompletions'>,
      nextOrdinal: number,
    ) => Promise<T>,
  ): Promise<T> {
    const connection = this.#connection
    await connection.begin()
    try {
      const nextOrdinal = await this.#lockJournal()
      this.#book ??= await readPriceBook(this.#journal)
      const options = {
        journal: this.#journal,
        rollups: this.#rollups,
        rollupLabels: await rollupLabels(connection),
        partitions: this.#partitions,
        chunks: this.#chunks,
        book: this.#book,
        onCommitted: (book: PriceBook, lastSeen: string) => {
          this.#book = book
          this.#lastSeen = lastSeen
        },
      }
      return await action(options, nextOrdinal)
    } catch (error) {
      await connection.rollback()
      throw error
    }
  }

  /**
   * Locks the journal's row, which keeps others out. If the session of an earlier projector was
   * lost during its COMMIT, this waits until the server is done with that.
   *
   * @returns the next row's ordinal.
   * @throws PostgresError TABLES_RESTORED. What is cached here, this journal's number included, is
   *   valid only until somebody replaces the tables it was read from. So are the positions that the
   *   caller has, including those of segments that its transaction doesn't touch.
   */
  async #lockJournal(): Promise<number> {
    const row = await this.#journal.one<{ journal_id: string; next_ordinal: number; last_seen: string }>(
      'SELECT journal_id, next_ordinal, last_seen::text FROM journals WHERE number = $1 FOR NO KEY UPDATE',
    )
    if (row?.journal_id === this.#journalId && row.last_seen === this.#lastSeen) return row.next_ordinal
    const found = "the tables aren't as this program left them: they were restored, or created again"
    const next = 'the projector goes on from what they hold now'
    throw new PostgresError('TABLES_RESTORED', this.name, `${found}; ${next}`)
  }

  /** Runs something in a transaction of its own. */
  async #inTransaction<T>(action: (journal: JournalConnection) => Promise<T>): Promise<T> {
    return await this.#connection.transaction(() => action(this.#journal))
  }
}

/** Finds a journal by its id; null if the database doesn't know it. */
export async function findJournal(
  connection: Connection,
  journalId: string,
): Promise<JournalConnection | null> {
  const sql = 'SELECT number FROM journals WHERE journal_id = $1'
  const found = await connection.one<{ number: number }>(sql, journalId)
  return found === undefined ? null : new JournalConnection(connection, found.number)
}

/** Finds a journal by its id, and adds it if the database doesn't know it. */
async function findOrAddJournal(connection: Connection, journalId: string): Promise<JournalConnection> {
  const known = await findJournal(connection, journalId)
  if (known !== null) return known
  const sql = 'INSERT INTO journals (journal_id) VALUES ($1) ON CONFLICT (journal_id) DO NOTHING'
  await connection.run(sql, journalId)
  const made = await findJournal(connection, journalId)
  if (made === null) throw new Error('unreachable: a journal was inserted')
  await storeVersions(made)
  return made
}

/**
 * How long to wait for the lock of a journal's rows. The server needs a moment to notice that the
 * program on the other end of a connection has gone.
 */
const LOCK_WAIT_MS = 5000

/**
 * Takes the lock of a journal's rows, until the session ends.
 *
 * @param waitMs how long to wait for another session to end.
 * @throws PostgresError PROJECTOR_RUNNING if another session keeps it.
 */
export async function lock(
  { connection, number }: JournalConnection,
  schema: string,
  waitMs = LOCK_WAIT_MS,
): Promise<void> {
  try {
    await connection.transaction(async () => {
      // A host that loses its power or its network doesn't close its connection. Without these
      // settings it would keep its lock for two hours, and nobody else could project its journal.
      await connection.exec(
        'SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3',
      )
      // A server notices the end of a program only between statements, unless it is told to check
      // during them too. PostgreSQL 14 was the first version that could.
      await connection.exec(
        `SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'`,
      )
      await connection.exec(`SET LOCAL lock_timeout = ${waitMs}`)
      await connection.run('SELECT pg_advisory_lock(hashtext($1), $2)', `request-journal ${schema}`, number)
    })
  } catch (error) {
    if (!isLockTimeout(error)) throw error
    const text = 'another projector or replay is writing the rows of this journal'
    throw new PostgresError('PROJECTOR_RUNNING', connection.name, `${text}: stop it, or wait until it ends`)
  }
}
