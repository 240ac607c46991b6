import { Worker } from 'node:worker_threads'
import { standardError } from './standard-error.js'

/** What the first of the shared cells says; the second is 1 once something was drawn. */
export const STATES = { idle: 0, drawing: 1, ended: 2 }

export interface ElapsedData {
  shared: Int32Array
  /** When the task began, by `Date.now()`. */
  startedAt: number
}

/**
 * Runs a task that tells nothing of how far it is, and says on a terminal each second how long it
 * has taken. A thread says it, because most such tasks hold this one: a database is asked
 * synchronously. What the task writes to stderr must be whole lines.
 */
export async function withElapsedTime<T>(task: () => T | Promise<T>): Promise<T> {
  if (process.stderr.isTTY !== true) return await task()
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const data: ElapsedData = { shared, startedAt: Date.now() }
  const worker = new Worker(new URL('./elapsed-worker.js', import.meta.url), {
    workerData: data,
    execArgv: [],
  })
  worker.unref()
  // Without the thread nothing is said, and nothing else is lost.
  worker.on('error', () => {})
  try {
    return await task()
  } finally {
    while (Atomics.compareExchange(shared, 0, STATES.idle, STATES.ended) === STATES.drawing) {
      Atomics.wait(shared, 0, STATES.drawing, 100)
    }
    Atomics.notify(shared, 0)
    if (shared[1] === 1) standardError.write('\r\x1b[2K')
  }
}
