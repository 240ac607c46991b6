import type { MessagePort } from 'node:worker_threads'
import type { SqlValue } from '../../condition.js'
import type { Table } from '../connection/connection.js'
import type { PostgresErrorCode } from '../connection/errors.js'

/** What the thread of a connection is started with. */
export interface QueryWorkerData {
  port: MessagePort
  /** Is 1 once an answer waits at the port. */
  signal: Int32Array
  address: string
  schema: string
}

/** What the thread is asked to do. */
export type QueryCall =
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
