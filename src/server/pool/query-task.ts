import type { WindowParameters } from '../../queries/index.js'
import type { PostgresErrorCode } from '../../store/postgres/connection/errors.js'
import type { DatabaseErrorCode } from '../../store/sqlite/connection/errors.js'

/** The data that a process that answers questions gets when it starts. */
export interface QueryProcessData {
  /** A path or an address. */
  database: string
  /** The schema of the tables in PostgreSQL. */
  schema: string
  /** The journal's directory. It needn't exist. */
  journal: string
}

/** The questions that a process can answer. */
export type QueryName =
  | 'stats'
  | 'series'
  | 'listRequests'
  | 'getRequest'
  | 'newRequests'
  | 'listNames'
  | 'health'
  | 'metrics'

/** One question to the database. It is copied to a process, so it holds only data. */
export interface QueryTask {
  query: QueryName
  /** The options of the query function of that name. */
  options: object
  /** The window. Its end is resolved when the query begins, so that no request is after `until`. */
  window?: WindowParameters | undefined
  /** Warnings about the question. If there are any, they become a member of the answer. */
  warnings?: string[] | undefined
}

/** A question, as it is sent to a process. */
export interface QueryMessage {
  task: QueryTask
  /** How long it may run. */
  timeoutMs: number
  /** Whether it may take that long. If not, but it would, the outcome is `heavy`, at once. */
  mayBeHeavy: boolean
}

/** The outcome of a question without an answer. What a client can act on is sent as data. */
export type QueryRefusal =
  | { is: 'refused'; isUnknownName: boolean; message: string }
  | { is: 'unavailable'; message: string; code: DatabaseErrorCode | PostgresErrorCode }
  | { is: 'timedOut' }
  | { is: 'heavy' }
  /** A bug. */
  | { is: 'failed'; stack: string }

export type QueryOutcome = { is: 'answer'; json: Buffer } | QueryRefusal

/** A message from a process that answers questions: it is ready, or has answered one. */
export type MessageFromProcess = { is: 'ready' } | QueryOutcome
