import type { Window } from '../../queries/index.js'
import type { DatabaseErrorCode } from '../../store/sqlite/connection/errors.js'

/** The parameters of a window, as a query string has them. */
export interface AskedWindow extends Window {
  range?: string | undefined
}

/** What the processes that answer questions are given when they start. */
export interface QueryProcessData {
  /** The database file. */
  database: string
  /** The journal's directory. It need not be there. */
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

/** One question to the database. It is sent to a process as JSON. */
export interface QueryTask {
  query: QueryName
  /** The options of the query function of that name. */
  options: object
  /** Resolved when the query begins, so that `until` is no earlier than any request it answers. */
  window?: AskedWindow | undefined
}

/** A question as a process gets it. */
export interface QueryMessage {
  task: QueryTask
  /** How long it may run. */
  timeoutMs: number
  /** Whether it may take as long as that. If not, the outcome of what would is `heavy`, at once. */
  mayBeHeavy: boolean
}

/** What came of a question, beside an answer. Errors that a client can do something about travel as data. */
export type QueryRefusal =
  | { is: 'refused'; isUnknownName: boolean; message: string }
  | { is: 'unavailable'; message: string; code: DatabaseErrorCode }
  | { is: 'timedOut' }
  | { is: 'heavy' }
  /** A bug. */
  | { is: 'failed'; stack: string }

export type QueryOutcome = { is: 'answer'; json: Buffer } | QueryRefusal

/** The kinds of messages between the two. */
export const MESSAGE = { ready: 0, question: 1, answer: 2, refusal: 3 } as const
