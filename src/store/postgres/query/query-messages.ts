import type { MessagePort } from 'node:worker_threads'
import type { SqlValue } from '../../condition.js'
import type { Table } from '../connection/connection.js'
import type { PostgresErrorCode } from '../connection/errors.js'

/** What the thread of a connection is started with. */
export interface QueryWorkerData {
  port: MessagePort
  /** What the thread signals without messages, at the indexes `ANSWERED` and `BEATS`. */
  signal: Int32Array
  beatMs: number
}

/** The index at which the signal is 1 once an answer waits at the port. */
export const ANSWERED = 0
/** The index at which the thread counts its signs of life, one each `beatMs`. */
export const BEATS = 1

/** What the thread is asked to do. */
export type QueryCall =
  /** Sets where to connect to. It has no answer. */
  | { is: 'use'; address: string; schema: string }
  | { is: 'connect' }
  | { is: 'begin' }
  | { is: 'commit' }
  | { is: 'rollback' }
  /** Runs a statement, and answers with its first rows: all of them without `cursor`. */
  | { is: 'read'; sql: string; values: SqlValue[]; hasBigInts: boolean; cursor?: string; timeoutMs?: number }
  | { is: 'fetch'; cursor: string; hasBigInts: boolean }
  | { is: 'closeCursor'; cursor: string }
  | { is: 'close' }

export type QueryAnswer =
  | { is: 'done' }
  | { is: 'rows'; table: Table }
  /** A PostgresError: its message without the address. */
  | { is: 'refused'; code: PostgresErrorCode; message: string; isTimedOut: boolean }
  | { is: 'failed'; error: unknown }

/** How many rows are fetched at once. */
export const PAGE_ROWS = 2000
