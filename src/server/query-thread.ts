import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { unavailable } from './errors.js'
import type { QueryOutcome, QueryTask, QueryThreadData } from './query-task.js'

// The same two folders up from src/server and from dist/server: a thread always runs what was built.
const WORKER = fileURLToPath(new URL('../../dist/server/query-worker.js', import.meta.url))

/** What one answer may take up, so that it fails alone and not with the whole process. */
const MAX_HEAP_MB = 512

/** One thread that answers one question at a time. */
export class QueryThread {
  readonly #pool: Piscina<QueryTask, QueryOutcome>
  #isBusy = false

  constructor(data: QueryThreadData) {
    this.#pool = new Piscina({
      filename: WORKER,
      workerData: data,
      minThreads: 1,
      maxThreads: 1,
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    })
    // Of a thread that died while it had nothing to do: the next question gets a new one, and its own error.
    this.#pool.on('error', () => {})
  }

  /** It answers, or its last question has not let go of it yet. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /**
   * Answers a question, which must be alone.
   *
   * @param onFree called once the thread can take another one: with the answer, or later, when the time was over and
   *   SQLite went on, which nothing interrupts within one step.
   * @throws HttpError 503 when the time is over.
   */
  async run(task: QueryTask, timeoutMs: number, onFree: () => void): Promise<QueryOutcome> {
    this.#isBusy = true
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), timeoutMs)
    let ended: Promise<unknown> = Promise.resolve()
    controller.signal.addEventListener('abort', () => {
      // Before piscina's own listener takes them from the list and ends them.
      ended = Promise.all(this.#pool.threads.map((thread) => once(thread, 'exit')))
    })
    try {
      return await this.#pool.run(task, { signal: controller.signal })
    } catch (error) {
      throw controller.signal.aborted ? timedOut(timeoutMs) : error
    } finally {
      clearTimeout(timer)
      void ended.finally(() => {
        this.#isBusy = false
        onFree()
      })
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

export function timedOut(timeoutMs: number): Error {
  return unavailable(
    `the query took longer than ${timeoutMs / 1000} s and was ended; ask for a shorter window, or page with a cursor`,
  )
}
