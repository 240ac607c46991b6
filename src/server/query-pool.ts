import { badRequest, HttpError, internalError, notFound, unavailable } from './errors.js'
import type { QueryName, QueryOutcome, QueryTask, QueryThreadData } from './query-task.js'
import { QueryThread, timedOut } from './query-thread.js'

/** A question whose last run took longer than this is heavy; so is one that has never run. */
const HEAVY_MS = 50

/** Questions that are bounded, whatever the database holds. */
const ALWAYS_LIGHT: ReadonlySet<QueryName> = new Set(['getRequest', 'newRequests', 'health', 'metrics'])

/** How long a question that is asked all the time leaves its thread to others at most, in between. */
const MAX_REST_MS = 25

/** Different questions that may wait at once. */
const MAX_WAITING = 500

export interface QueryPoolOptions extends QueryThreadData {
  /** How many questions are answered at once, in a thread each. */
  threads: number
  /** How long a question may wait, and then how long it may run. */
  timeoutMs: number
  /** Told of what the database refuses, and of bugs; the client gets less. */
  onFailure(error: unknown): void
}

/** One run that answers everyone who asked the same before it began. */
interface Run {
  readonly key: string
  readonly task: QueryTask
  readonly answer: Promise<string>
  resolve(json: string): void
  reject(error: unknown): void
  /** Ends a wait that is too long. */
  timer: NodeJS.Timeout
  /** The run before it has just ended. */
  isResting: boolean
}

/**
 * Answers questions in threads, so that no query stalls the one that serves HTTP.
 *
 * Whoever asks what is being answered already waits for the next run, and shares it with all who come until it begins:
 * never the one that is under way, which may not see what was committed before they asked. So a thousand identical
 * questions a second cost as many runs as fit one after another, with a rest as long as a run in between.
 *
 * Questions that were heavy when they ran last leave one thread to all others.
 */
export class QueryPool {
  readonly #options: QueryPoolOptions
  readonly #threads: QueryThread[]
  /** In order of arrival, by key. */
  readonly #waiting = new Map<string, Run>()
  readonly #running = new Set<string>()
  /** How long questions took when they ran last, by shape. */
  readonly #durationsMs = new Map<string, number>()
  /** What answers a heavy question, or hasn't let go of one whose time was over. */
  readonly #heavyThreads = new Set<QueryThread>()
  #runs = 0
  #isClosed = false

  constructor(options: QueryPoolOptions) {
    this.#options = options
    const { database, journal, threads } = options
    this.#threads = Array.from(
      { length: threads },
      () => new QueryThread({ database, journal }, (thread) => this.#release(thread)),
    )
  }

  /** Resolves once every thread is up: before, questions wait for them. */
  async ready(): Promise<void> {
    await Promise.all(this.#threads.map(({ ready }) => ready))
  }

  /** Queries that were run so far. */
  get runs(): number {
    return this.#runs
  }

  /**
   * The answer as JSON, of a moment after the call.
   *
   * @throws HttpError 400 and 404 for what the query refuses, 503 when it takes too long or the database can't be read.
   */
  async ask(task: QueryTask): Promise<string> {
    if (this.#isClosed) throw unavailable('the server is stopping')
    const key = JSON.stringify(task)
    const run = this.#waiting.get(key) ?? this.#enqueue(key, task)
    this.#startWaiting()
    return await run.answer
  }

  /** Ends what runs; whoever waits is told. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const run of this.#waiting.values()) {
      clearTimeout(run.timer)
      run.reject(unavailable('the server is stopping'))
    }
    this.#waiting.clear()
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }

  #enqueue(key: string, task: QueryTask): Run {
    if (this.#waiting.size >= MAX_WAITING) {
      throw unavailable(`${MAX_WAITING} other queries are waiting already`)
    }
    const { timeoutMs } = this.#options
    let resolve: Run['resolve'] = () => {}
    let reject: Run['reject'] = () => {}
    const answer = new Promise<string>((...settle) => {
      ;[resolve, reject] = settle
    })
    const timer = setTimeout(() => {
      this.#waiting.delete(key)
      reject(timedOut(timeoutMs))
    }, timeoutMs)
    const run = { key, task, answer, resolve, reject, timer, isResting: false }
    this.#waiting.set(key, run)
    return run
  }

  #startWaiting(): void {
    for (const run of this.#waiting.values()) {
      const thread = this.#threads.find(({ isBusy }) => !isBusy)
      if (thread === undefined || this.#isClosed) return
      if (run.isResting || this.#running.has(run.key)) continue
      const isHeavy = this.#isHeavy(run.task)
      if (isHeavy && this.#heavyThreads.size >= Math.max(1, this.#threads.length - 1)) continue
      this.#waiting.delete(run.key)
      if (isHeavy) this.#heavyThreads.add(thread)
      void this.#start(run, thread)
    }
  }

  async #start(run: Run, thread: QueryThread): Promise<void> {
    clearTimeout(run.timer)
    this.#running.add(run.key)
    this.#runs++
    const startedAt = performance.now()
    try {
      const outcome = await thread.run(run.task, this.#options.timeoutMs)
      if (outcome.is === 'answer') {
        // Of answers only: what is refused may have any words in it, without end.
        this.#durationsMs.set(shapeOf(run.task), performance.now() - startedAt)
        run.resolve(outcome.json)
      } else run.reject(this.#refusal(outcome))
    } catch (error) {
      // Its time was over: the thread may be busy with it for as long as that takes.
      if (error instanceof HttpError) this.#heavyThreads.add(thread)
      run.reject(this.#asHttpError(error))
    } finally {
      this.#running.delete(run.key)
      this.#rest(run.key, performance.now() - startedAt)
      this.#startWaiting()
    }
  }

  /** Half of a thread at most is for one question that comes faster than it can be answered. */
  #rest(key: string, durationMs: number): void {
    const next = this.#waiting.get(key)
    if (next === undefined) return
    next.isResting = true
    const wake = () => {
      next.isResting = false
      this.#startWaiting()
    }
    setTimeout(wake, Math.min(durationMs, MAX_REST_MS))
  }

  #isHeavy(task: QueryTask): boolean {
    if (ALWAYS_LIGHT.has(task.query)) return false
    return (this.#durationsMs.get(shapeOf(task)) ?? Number.POSITIVE_INFINITY) > HEAVY_MS
  }

  #release(thread: QueryThread): void {
    this.#heavyThreads.delete(thread)
    this.#startWaiting()
  }

  #refusal(outcome: Exclude<QueryOutcome, { is: 'answer' }>): HttpError {
    if (outcome.is === 'refused') {
      return outcome.isUnknownName ? notFound(outcome.message) : badRequest(outcome.message)
    }
    this.#options.onFailure(new Error(outcome.message))
    return unavailable('the database cannot be read now; the log of the server says why')
  }

  #asHttpError(error: unknown): HttpError {
    if (error instanceof HttpError) return error
    if (this.#isClosed) return unavailable('the server is stopping')
    this.#options.onFailure(error)
    return internalError()
  }
}

/** Which questions are alike in what they cost: those with the same parameters, whatever their values. */
function shapeOf({ query, options, window }: QueryTask): string {
  const given = Object.entries({ ...options, ...window }).filter(([, value]) => value !== undefined)
  // Of values only those that come from short lists: there are as many shapes as these allow.
  const parts = given.map(([name, value]) => {
    const isTelling = name === 'groupBy' || name === 'range' || name === 'by' || name === 'bucket'
    return isTelling ? `${name}=${String(value).replace(/^label:.*/s, 'label')}` : name
  })
  return [query, ...parts].join(' ')
}
