import type { AskedWindow } from './window.js'

/** What the threads that answer questions are given when they start. */
export interface QueryThreadData {
  /** The database file. */
  database: string
  /** The journal's directory. It need not be there. */
  journal: string
}

/** The questions that a thread can answer; `ready` only says that it can. */
export type QueryName =
  | 'ready'
  | 'stats'
  | 'series'
  | 'listRequests'
  | 'getRequest'
  | 'newRequests'
  | 'health'
  | 'metrics'

/** One question to the database. Plain: it is sent to a thread. */
export interface QueryTask {
  query: QueryName
  /** Of the query function of that name. */
  options: object
  /** Resolved when the query begins, so that `until` is no earlier than any request it answers. */
  window?: AskedWindow | undefined
}

/** What came of it. Errors that a client can do something about travel as data: a clone of an error has no class. */
export type QueryOutcome =
  | { is: 'answer'; json: string }
  | { is: 'refused'; isUnknownName: boolean; message: string }
  | { is: 'unavailable'; message: string }
