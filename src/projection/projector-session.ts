import { resolve } from 'node:path'
import { Sealer } from '../journal/chain/seal.js'
import { JournalError } from '../journal/errors.js'
import type { Clock } from '../journal/file-system.js'
import { type JournalIdentity, readIdentity } from '../journal/journal-identity.js'
import { silentLogger } from '../journal/logger.js'
import { ProjectionError } from '../store/errors.js'
import { asStoreError, databaseName, type OpenStoreOptions, openStore } from '../store/open-store.js'
import type { Store } from '../store/port.js'
import { emptyCounts, type SegmentCounts, type SegmentPosition } from '../store/positions.js'
import { isPostgresAddress } from '../store/postgres/connection/address.js'
import { PostgresError } from '../store/postgres/connection/errors.js'
import type { SegmentProgress } from './batch-writer.js'
import { CatchUp, type CatchUpOptions } from './catch-up.js'
import type { ProjectorLogger, ProjectorOptions } from './options.js'
import { repriceSome } from './repricing.js'
import { SmallFileCopies } from './small-file-copies.js'
import { isAboutDatabase, isJournalAway, isTransient } from './transient-errors.js'
import { WaitingNote } from './waiting-note.js'

export interface SessionOptions {
  clock: Clock
  /**
   * Whether it waits for a server that can't be reached, or a journal that can't be read.
   * @default false
   */
  waits?: boolean
  busyTimeoutMs?: number
  backlogFromBytes?: number | undefined
}

/**
 * What a projector has open: its store, and its journal once there is one. Both may have to be
 * opened again while it runs.
 */
export class ProjectorSession {
  readonly directory: string
  readonly databaseName: string
  readonly logger: ProjectorLogger
  readonly onWaiting: NonNullable<ProjectorOptions['onWaiting']>
  readonly #storeOptions: Omit<OpenStoreOptions, 'journalId'>
  /** Null: PostgreSQL can't be reached, or the journal doesn't exist yet. */
  #store: Store | null = null
  readonly #sealer: Sealer
  readonly #catchUpOptions: Pick<CatchUpOptions, 'rollupLabels' | 'allowMissing' | 'backlogFromBytes'>
  #catchUp: CatchUp | null = null
  #files: SmallFileCopies
  #saidWaiting = ''
  readonly #note: WaitingNote | null = null
  /** The newest position before the connection to the server was lost. */
  #newest: SegmentPosition | null = null
  /** How many rows the repricing in progress has looked at. */
  #repricedRows = 0

  static async start(options: ProjectorOptions, sessionOptions: SessionOptions): Promise<ProjectorSession> {
    const session = new ProjectorSession(options, sessionOptions)
    try {
      // A SQLite database is created, locked and migrated even if there is no journal yet.
      if (!isPostgresAddress(options.database)) await session.#openStore('')
      await session.#openJournal()
      return session
    } catch (error) {
      // The first look waits for a server that can't be reached, or a journal that can't be read
      // for now.
      const isAway = error instanceof PostgresError && error.code === 'SERVER_AWAY'
      const isUnreadable = error instanceof JournalError && isTransient(error)
      if (sessionOptions.waits && (isAway || isUnreadable)) return session
      await session.close()
      throw asStoreError(error, session.databaseName)
    }
  }

  private constructor(options: ProjectorOptions, { clock, busyTimeoutMs, backlogFromBytes }: SessionOptions) {
    const { journal, database, schema, chunks, rollupLabels, allowMissing, logger = silentLogger } = options
    this.#catchUpOptions = { rollupLabels, allowMissing, backlogFromBytes }
    this.directory = resolve(journal)
    this.databaseName = databaseName(database)
    this.logger = logger
    if (isPostgresAddress(database)) this.#note = new WaitingNote(this.directory, database)
    this.onWaiting = (reason) => {
      if (reason !== null && isAboutDatabase(reason)) this.#note?.begin(reason, this.#newest)
      options.onWaiting?.(reason)
    }
    this.#files = new SmallFileCopies(this.directory)
    this.#sealer = new Sealer(this.directory, clock, logger)
    this.#storeOptions = { purpose: 'project', schema, chunks, busyTimeoutMs }
  }

  get hasJournal(): boolean {
    return this.#catchUp !== null
  }

  async catchUp(shouldStop: () => boolean, looksAtEverySegment: boolean): Promise<SegmentCounts> {
    if (this.#catchUp === null) await this.#openJournal()
    if (this.#catchUp === null) return emptyCounts()
    const counts = await this.#catchUp.run(shouldStop, looksAtEverySegment)
    if (this.#store !== null) await this.#files.keep(this.#store)
    this.#note?.end()
    return counts
  }

  /**
   * Recomputes some more of the costs that new prices and rates may have changed.
   *
   * @returns whether there were any.
   */
  async reprice(): Promise<boolean> {
    const rows = this.#store === null ? null : await repriceSome(this.#store)
    if (rows !== null && this.#repricedRows === 0) {
      this.logger.info({}, 'Computing costs again: prices or exchange rates came late')
    }
    this.#repricedRows += rows ?? 0
    if (rows !== null) return true
    if (this.#repricedRows > 0) this.logger.info({ rows: this.#repricedRows }, 'Computed costs again')
    this.#repricedRows = 0
    return false
  }

  /** Seals the segments that are due. */
  async seal(): Promise<void> {
    if (this.#catchUp === null || this.#store === null) return
    await this.#sealer.seal(this.#catchUp.segments())
    await this.#files.keep(this.#store)
  }

  /** Now and then, in the background, seals the segments that are due. */
  sealIfDue(): void {
    const catchUp = this.#catchUp
    if (catchUp !== null) this.#sealer.startIfDue(() => catchUp.segments())
  }

  async stopSealing(): Promise<void> {
    await this.#sealer.stop()
  }

  /**
   * Whether an error means that the tables have gone back to an earlier state, as happens when a
   * server is restored from a backup. They are then refilled from the journal, starting at the
   * positions that they have now.
   */
  hasGoneBack(error: unknown): boolean {
    const isMoved = error instanceof ProjectionError && error.code === 'POSITION_MOVED'
    return isMoved && isPostgresAddress(this.databaseName)
  }

  /**
   * Closes the connection to a server after an error. The next look connects again, perhaps to a
   * server that has taken its place, and goes on from the positions that are stored then. So if the
   * answer to a COMMIT was lost, it doesn't matter whether it succeeded.
   */
  async letGoAfter(error: unknown): Promise<void> {
    if (!(error instanceof PostgresError) && !this.hasGoneBack(error)) return
    this.#newest = this.#catchUp?.newestPosition ?? this.#newest
    await this.close()
    this.#catchUp = null
    this.#store = null
    this.#files = new SmallFileCopies(this.directory)
  }

  async close(): Promise<void> {
    this.#catchUp?.close()
    await this.#store?.close()
  }

  async #openStore(journalId: string): Promise<Store> {
    this.#store ??= await openStore(this.databaseName, { ...this.#storeOptions, journalId })
    return this.#store
  }

  async #openJournal(): Promise<void> {
    const { directory, logger } = this
    let identity: JournalIdentity
    try {
      identity = readIdentity(directory)
    } catch (error) {
      if (!isJournalAway(error)) throw error
      this.#sayWaiting(error as JournalError)
      return
    }
    const fields = { journal: directory, journal_id: identity.journal_id, database: this.databaseName }
    this.#catchUp = await CatchUp.start({
      directory,
      identity,
      store: await this.#openStore(identity.journal_id),
      ...this.#catchUpOptions,
      onProgress: (progress) => this.#logProgress(progress),
      onRecompressed: (path) =>
        logger.info({ path }, 'The archive was compressed again: it holds what was recorded'),
      onAccepted: (segments) => logger.warn({ segments }, 'Going on without segments that are gone'),
    })
    logger.info(fields, 'Projecting')
  }

  /** Logs a reason, unless it is the same as the last one. */
  #sayWaiting(reason: JournalError): void {
    if (reason.message === this.#saidWaiting) return
    this.#saidWaiting = reason.message
    const { directory: path, logger } = this
    if (reason.code === 'JOURNAL_MISSING') {
      logger.info({ path }, 'Waiting for a journal: the first writer creates it')
    } else
      logger.warn(
        { path, err: reason },
        'Waiting for journal.json: it is missing or incomplete, and there are segments',
      )
  }

  #logProgress({ position, counts, bytes, firstRejected, firstDroppedCost }: SegmentProgress): void {
    this.logger.debug({ segment: position.name, bytes, ...counts }, 'Projected')
    if (firstDroppedCost !== null) {
      const { member, byteOffset } = firstDroppedCost
      const fields = { segment: position.name, byte_offset: byteOffset, member }
      this.logger.warn(fields, 'Found costs that are not finite: they are null in the database')
    }
    if (firstRejected === null) return
    const { reason, detail, byteOffset } = firstRejected
    const fields = {
      segment: position.name,
      rejected: counts.rejected,
      byte_offset: byteOffset,
      reason,
      detail,
    }
    this.logger.warn(fields, 'Rejected lines: see `request-journal rejected`')
  }
}
