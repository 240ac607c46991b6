import { resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
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
import { FailureLog } from './failure-log.js'
import type { ProjectorLogger, ProjectorOptions } from './options.js'
import { repriceSome } from './repricing.js'
import { SmallFileCopies } from './small-file-copies.js'
import { isAboutDatabase, isJournalAway, isTransient } from './transient-errors.js'
import { WaitingNote } from './waiting-note.js'
import { delayBeforeLook, WakeUp } from './wake-up.js'

export type { ProjectorLogger, ProjectorOptions } from './options.js'

/** What was projected, as `project --once --json` prints it. */
export interface ProjectResult {
  /** How many events became rows, or changed one. */
  projected: number
  /** How many of these are requests. The others end streams, or are prices and exchange rates. */
  requests: number
  /** How many whole lines can't be projected. */
  rejected: number
  /** How many whole lines were read, without blank ones. */
  lines: number
  /** How many lines were accepted without a checksum. */
  unchecked: number
  elapsed_ms: number
}

/** A running projector. */
export interface Projector {
  /** Finishes the transaction that is under way and closes everything. */
  stop(): Promise<void>
  /**
   * Resolves once it has stopped; rejects if it can't go on, with an error that says what to do.
   */
  readonly finished: Promise<void>
}

/**
 * Starts a projector in this process: it holds the projector's lock, catches up, and then follows
 * the journal until it is stopped. It waits for whatever can heal by itself: a journal that doesn't
 * exist or isn't whole yet, a database that is locked, a full disk, a lack of descriptors or
 * permissions. It gives up only if a segment is missing, was replaced or truncated, or can't be
 * synced, or if another database or journal has taken the place of the one that it opened.
 *
 * @throws DatabaseError PROJECTOR_RUNNING if the database has one already; also as `openDatabase`.
 * @throws ProjectionError if journal and database don't belong together.
 */
export async function startProjector(options: ProjectorOptions): Promise<Projector> {
  return await startProjectorWith(options, Date)
}

/** @internal `startProjector` with another clock. */
export async function startProjectorWith(options: ProjectorOptions, clock: Clock): Promise<Projector> {
  const busyTimeoutMs = isPostgresAddress(options.database) ? LOCK_TIMEOUT_MS : BUSY_TIMEOUT_MS
  const session = await ProjectorSession.start(options, { clock, busyTimeoutMs, waits: true })
  let isStopping = false
  const wakeUp = new WakeUp()
  // Called after each piece of work; a catch-up consists of many.
  const finished = follow(session, wakeUp, () => {
    options.onAlive?.()
    return isStopping
  })
  // Callers that don't look at `finished` find the error in the log.
  finished.catch((error) => session.logger.error({ err: error }, "Projector stopped: it can't go on"))
  return {
    finished,
    stop: async () => {
      isStopping = true
      wakeUp.end()
      await finished.catch(() => {})
    },
  }
}

/**
 * How long a projector that follows the journal blocks its thread for a lock; it tries again
 * afterwards, with back-off. One that projects once waits the full time that openDatabase sets.
 */
const BUSY_TIMEOUT_MS = 250

/**
 * How long a projector waits for a lock in PostgreSQL, which doesn't block its thread, before it
 * reports that it is waiting and tries again.
 */
const LOCK_TIMEOUT_MS = 2000

/**
 * Projects everything that is in the journal now, and closes the database.
 *
 * @throws JournalError JOURNAL_MISSING; otherwise as `startProjector`.
 */
export async function projectOnce(options: ProjectorOptions): Promise<ProjectResult> {
  return await projectOnceWith(options, Date)
}

/** @internal `projectOnce` with another clock, and with backlogs of another size. */
export async function projectOnceWith(
  options: ProjectorOptions,
  clock: Clock,
  backlogFromBytes?: number,
): Promise<ProjectResult> {
  const startedAt = performance.now()
  // Throws if there is no journal, before a database is created for it.
  readIdentity(resolve(options.journal))
  const session = await ProjectorSession.start(options, { clock, backlogFromBytes })
  try {
    const counts = await session.catchUp(() => false, true)
    while (await session.reprice());
    await session.seal()
    return projectResult(counts, startedAt)
  } catch (error) {
    throw asStoreError(error, session.databasePath)
  } finally {
    await session.close()
  }
}

/**
 * Decides when to look for new lines, until the projector is stopped. `catch-up.ts` projects them.
 */
async function follow(session: ProjectorSession, wakeUp: WakeUp, isStopping: () => boolean): Promise<void> {
  const { logger } = session
  let lastLineAt = performance.now()
  const failures = new FailureLog(session)
  let looksAtEverySegment = true
  let isWatching = false
  try {
    while (!isStopping()) {
      try {
        if (session.hasJournal && !isWatching) {
          isWatching = true
          // Watching begins before the look, since a line could otherwise come unseen between the
          // two.
          wakeUp.watch(session.directory, (error) => {
            const fields = { err: error, path: session.directory }
            logger.warn(fields, 'The watcher failed: looking for new lines once a second instead')
          })
        }
        const counts = await session.catchUp(isStopping, looksAtEverySegment)
        failures.end()
        if (looksAtEverySegment && session.hasJournal && !isStopping())
          logger.info(counts, 'Caught up with the journal')
        looksAtEverySegment = !session.hasJournal
        session.sealIfDue()
        if (counts.lines > 0) lastLineAt = performance.now()
        if (isStopping()) break
        // New lines come first: even a long repricing is interrupted for them.
        if (await session.reprice()) await setImmediate()
        else await wakeUp.wait(delayBeforeLook(performance.now() - lastLineAt))
      } catch (error) {
        if (!isTransient(error) && !session.hasGoneBack(error))
          throw asStoreError(error, session.databasePath)
        // The watch may have ended when its directory went, and a projector that backs off needn't
        // be woken by each append.
        isWatching = false
        await wakeUp.unwatch()
        await session.letGoAfter(error)
        await wakeUp.pause(failures.add(asStoreError(error, session.databasePath)))
      }
    }
  } finally {
    await wakeUp.close()
    await session.stopSealing()
    await session.close()
  }
  logger.info({}, 'Projector stopped')
}

interface SessionOptions {
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
class ProjectorSession {
  readonly directory: string
  readonly databasePath: string
  readonly logger: ProjectorLogger
  readonly onWaiting: NonNullable<ProjectorOptions['onWaiting']>
  readonly #storeOptions: Omit<OpenStoreOptions, 'journalId'>
  /** Null: PostgreSQL can't be reached, or the journal doesn't exist yet. */
  #store: Store | null = null
  readonly #sealer: Sealer
  readonly #forCatchUp: Pick<CatchUpOptions, 'rollupLabels' | 'allowMissing' | 'backlogFromBytes'>
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
      throw asStoreError(error, session.databasePath)
    }
  }

  private constructor(options: ProjectorOptions, { clock, busyTimeoutMs, backlogFromBytes }: SessionOptions) {
    const { journal, database, schema, chunks, rollupLabels, allowMissing, logger = silentLogger } = options
    this.#forCatchUp = { rollupLabels, allowMissing, backlogFromBytes }
    this.directory = resolve(journal)
    this.databasePath = databaseName(database)
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
    return isMoved && isPostgresAddress(this.databasePath)
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
    this.#store ??= await openStore(this.databasePath, { ...this.#storeOptions, journalId })
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
    const fields = { journal: directory, journal_id: identity.journal_id, database: this.databasePath }
    this.#catchUp = await CatchUp.start({
      directory,
      identity,
      store: await this.#openStore(identity.journal_id),
      ...this.#forCatchUp,
      onProgress: (progress) => this.#logProgress(progress),
      onRecompressed: (path) =>
        logger.info({ path }, 'The archive was compressed again: it holds what was recorded'),
      onAccepted: (segments) => logger.warn({ segments }, 'Going on without segments that are gone'),
    })
    this.logger.info(fields, 'Projecting')
  }

  /** Logs each reason once. */
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

/** @param startedAt when it began, by `performance.now()`. */
export function projectResult(counts: SegmentCounts, startedAt: number): ProjectResult {
  return {
    projected: counts.requests + counts.completions + counts.prices + counts.rates,
    requests: counts.requests,
    rejected: counts.rejected,
    lines: counts.lines,
    unchecked: counts.unchecked,
    elapsed_ms: Math.round(performance.now() - startedAt),
  }
}
