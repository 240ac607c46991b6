import { resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../journal/file-system.js'
import { readIdentity } from '../journal/journal-identity.js'
import { asStoreError } from '../store/open-store.js'
import type { SegmentCounts } from '../store/positions.js'
import { isPostgresAddress } from '../store/postgres/connection/address.js'
import type { ProjectorOptions } from './options.js'
import { ProjectorSession } from './projector-session.js'
import { RetryState } from './retry-state.js'
import { isTransient } from './transient-errors.js'
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
 * permissions. It gives up only if waiting can't help: for example if a segment is missing, was
 * replaced or truncated, or can't be synced, if another database or journal has taken the place of
 * the one that it opened, or if the database is damaged.
 *
 * @throws DatabaseError PROJECTOR_RUNNING if the database already has a projector; otherwise like
 *   `openDatabase`.
 * @throws ProjectionError if journal and database don't belong together.
 */
export async function startProjector(options: ProjectorOptions): Promise<Projector> {
  const busyTimeoutMs = isPostgresAddress(options.database) ? LOCK_TIMEOUT_MS : BUSY_TIMEOUT_MS
  const session = await ProjectorSession.start(options, { clock: Date, busyTimeoutMs, waits: true })
  let isStopping = false
  const wakeUp = new WakeUp()
  // The callback runs after each piece of work, of which a catch-up has many.
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
 * @throws JournalError JOURNAL_MISSING; otherwise like `startProjector`.
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
    throw asStoreError(error, session.databaseName)
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
  const retries = new RetryState(session)
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
        retries.succeeded()
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
          throw asStoreError(error, session.databaseName)
        // The watch may have ended when its directory went, and a projector that backs off needn't
        // be woken by each append.
        isWatching = false
        await wakeUp.unwatch()
        await session.letGoAfter(error)
        await wakeUp.pause(retries.failed(asStoreError(error, session.databaseName)))
      }
    }
  } finally {
    await wakeUp.close()
    await session.stopSealing()
    await session.close()
  }
  logger.info({}, 'Projector stopped')
}

/** @param startedAt when projecting began, by `performance.now()`. */
export function projectResult(counts: SegmentCounts, startedAt: number): ProjectResult {
  const { requests, completions, prices, rates, rejected, lines, unchecked } = counts
  const projected = requests + completions + prices + rates
  const elapsed_ms = Math.round(performance.now() - startedAt)
  return { projected, requests, rejected, lines, unchecked, elapsed_ms }
}
