import { Worker } from 'node:worker_threads'
import { standardError } from './standard-error.js'

/** The values of the first shared cell. The second cell is 1 once something was drawn. */
export const STATES = { idle: 0, drawing: 1, ended: 2 }

export interface ElapsedData {
  shared: Int32Array
  /** When the task began, by `Date.now()`. */
  startedAt: number
}

/**
 * Runs a task that doesn't report its progress, and shows on a terminal each second how long it has
 * taken. Another thread does that, because most such tasks block this one: databases are queried
 * synchronously. The task must write whole lines to stderr.
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
  // If the thread fails, the time isn't shown, and nothing else is lost.
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
