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
  readonly #onFree: (thread: QueryThread) => void
  #ready: Promise<void>
  #isBusy = true

  /** @param onFree called whenever it can take a question: once it is up, and after each one. */
  constructor(data: QueryThreadData, onFree: (thread: QueryThread) => void) {
    this.#onFree = onFree
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
    this.#ready = this.#load()
  }

  /** It answers, or its last question has not let go of it yet. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /** Resolves once its modules are loaded. */
  get ready(): Promise<void> {
    return this.#ready
  }

  /**
   * Answers a question; only while it isn't busy. It may stay busy when the time is over: SQLite goes on to the end of
   * its step, which nothing interrupts.
   *
   * @throws HttpError 503 when the time is over.
   */
  async run(task: QueryTask, timeoutMs: number): Promise<QueryOutcome> {
    this.#isBusy = true
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), timeoutMs)
    controller.signal.addEventListener('abort', () => {
      // Before piscina's own listener takes the thread from the list, ends it, and starts another.
      const ended = Promise.all(this.#pool.threads.map((thread) => once(thread, 'exit')))
      this.#ready = ended.then(() => this.#load())
    })
    try {
      const outcome = await this.#pool.run(task, { signal: controller.signal })
      this.#free()
      return outcome
    } catch (error) {
      if (controller.signal.aborted) throw timedOut(timeoutMs)
      // Perhaps the thread died of it, and another one is loading.
      this.#ready = this.#load()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves once the thread has loaded its modules: ending it before would abort the whole process on Node 20. */
  async #load(): Promise<void> {
    // Where it fails, the next question says why.
    await this.#pool.run({ query: 'ready', options: {} }).catch(() => {})
    this.#free()
  }

  #free(): void {
    this.#isBusy = false
    this.#onFree(this)
  }

  async close(): Promise<void> {
    await this.#ready
    await this.#pool.destroy()
  }
}

export function timedOut(timeoutMs: number): Error {
  return unavailable(
    `the query took longer than ${timeoutMs / 1000} s and was ended; ask for a shorter window, or page with a cursor`,
  )
}
