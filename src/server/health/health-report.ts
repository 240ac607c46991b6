import { FULL_DISK_BYTES } from '../../journal/file-system.js'
import { type ErrorBody, errorBody, NO_DATABASE, NO_TABLES, serverAway, unavailable } from '../http/errors.js'
import type { QueryPool } from '../pool/query-pool.js'
import type { ProjectorThread } from '../projector/projector-thread.js'
import { journalProblems } from './fleet-health.js'
import type { HealthMeasures } from './measure-health.js'

/** How long a report is reused: asking needs no token, so it mustn't be a way to cause load. */
const KEPT_MS = 1000

/** The body of `GET /healthz`. */
export interface HealthReport extends Partial<HealthMeasures>, Partial<ErrorBody> {
  status: 'ok' | 'failing'
  /** Why it fails, a sentence each. */
  problems: string[]
  /** Only while PostgreSQL doesn't answer: when this process first noticed. */
  away_since?: string
}

export interface HealthOptions {
  pool: QueryPool
  /** The largest lag that is still ok, in seconds. */
  maxLagSeconds: number
  /** This process's projector; null if there is none. */
  projector: Pick<ProjectorThread, 'failureCode' | 'waitingCode'> | null
}

/**
 * Makes a function that reports whether people can rely on what they see here: a projector runs and
 * keeps up, and the disks have space. Rejected lines are reported, but aren't a failure: no restart
 * would help against them. A report is reused for a second.
 */
export function healthReporter(options: HealthOptions): () => Promise<HealthReport> {
  let report: Promise<HealthReport> | undefined
  let askedAt = Number.NEGATIVE_INFINITY
  return () => {
    const now = performance.now()
    if (report !== undefined && now - askedAt < KEPT_MS) return report
    askedAt = now
    report = makeReport(options)
    return report
  }
}

async function makeReport({ pool, maxLagSeconds, projector }: HealthOptions): Promise<HealthReport> {
  const problems: string[] = []
  let measures: Partial<HealthMeasures> = {}
  try {
    measures = JSON.parse(await pool.ask({ query: 'health', options: {} }))
  } catch (error) {
    const { message } = error as Error
    const missing = [NO_DATABASE, NO_TABLES].find((problem) => message.endsWith(problem))
    // The pool has logged any other error.
    const isAway = pool.awaySince === null ? null : serverAway(pool.awaySince)
    problems.push(missing ?? isAway ?? "journal and database can't be read: see the log")
  }
  const away = pool.awaySince === null ? {} : { away_since: pool.awaySince }
  const { projector_running: isRunning, lag_seconds: lag } = measures
  const { failureCode: failure = null, waitingCode: wait = null } = projector ?? {}
  if (failure !== null) problems.push(`the projector has stopped (${failure}): see the log`)
  else if (wait !== null) problems.push(`the projector waits (${wait}) and tries again: see the log`)
  else if (isRunning === false) {
    problems.push(
      'no projector runs: nothing new appears; start `request-journal project`, or the service that runs it',
    )
  }
  if (measures.journal_states !== undefined) {
    problems.push(...journalProblems(measures.journal_states, maxLagSeconds, Date.now()))
  } else if (typeof lag === 'number' && lag > maxLagSeconds) {
    problems.push(`the projector is ${lag} s behind the journal, more than ${maxLagSeconds} s`)
  }
  if (isFull(measures)) problems.push('the disk of the database is full: nothing new is projected')
  if ((measures.journal_disk_free_bytes ?? FULL_DISK_BYTES) < FULL_DISK_BYTES) {
    problems.push(
      'the disk of the journal is full: writers keep events in memory only, and drop them when that is full',
    )
  }
  if (problems.length === 0) return { status: 'ok', problems, ...measures }
  return { status: 'failing', problems, ...away, ...measures, ...errorBody(unavailable(problems.join('; '))) }
}

/** Whether the database's disk is full, and something has to be written: else it does no harm. */
function isFull({
  disk_free_bytes: free = FULL_DISK_BYTES,
  lag_bytes: lag = null,
}: Partial<HealthMeasures>): boolean {
  return free < FULL_DISK_BYTES && lag !== null && lag > 0
}
