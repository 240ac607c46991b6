import { clearTimeout, setTimeout } from 'node:timers'
import type { WhenLeft } from '../http/bounds.js'
import {
  badRequest,
  HttpError,
  internalError,
  NO_DATABASE,
  NO_TABLES,
  notFound,
  serverAway,
  unavailable,
} from '../http/errors.js'
import { QueryProcess, timedOut } from './query-process.js'
import type { QueryName, QueryProcessData, QueryRefusal, QueryTask } from './query-task.js'

/** A question is heavy if its last run took longer than this, or if it has never run. */
const HEAVY_MS = 50

/** Questions whose work is bounded by themselves, or that say at once when it isn't. */
const ALWAYS_LIGHT: ReadonlySet<QueryName> = new Set(['getRequest', 'newRequests', 'health', 'metrics'])

/** The longest rest between two runs of a question that is asked all the time. */
const MAX_REST_MS = 25

/** How many different questions may wait at once. */
const MAX_WAITING = 500

export interface QueryPoolOptions extends QueryProcessData {
  /** How many questions are answered at once, in a process each. */
  processes: number
  /** How long a question may wait, and then how long it may run. */
  timeoutMs: number
  /** Called with what the database refuses, and with bugs; the client is told less. */
  onFailure(error: unknown): void
}

/** One run that answers everyone who asked the same before it began. */
interface Run {
  readonly key: string
  readonly task: QueryTask
  /** Whether it has said that it takes long. */
  readonly isHeavy: boolean
  /** JSON. */
  readonly answer: Promise<Buffer>
  resolve(json: Buffer): void
  reject(error: unknown): void
  /** Ends a wait that is too long. */
  timer: NodeJS.Timeout
  /** Whether the run before it has just ended. */
  isResting: boolean
  /** How many clients still want the answer. */
  askers: number
}

/**
 * Answers questions in processes of their own, so that no query stalls the process that serves
 * HTTP, and each can be killed.
 *
 * A client that asks what is being answered already waits for the next run, and shares it with
 * everyone who asks before it begins. It never joins the run that is under way, which may not see
 * what was committed before the client asked. So a thousand identical questions a second cost only
 * as many runs as fit one after another, each followed by a rest as long as itself, but of at most
 * 25 ms. A run that nobody waits for any more doesn't begin.
 *
 * Questions that were heavy when they last ran leave one process free for all others.
 */
export class QueryPool {
  readonly #options: QueryPoolOptions
  readonly #processes: QueryProcess[]
  /** Runs that haven't begun, by key, in order of arrival. */
  readonly #waiting = new Map<string, Run>()
  readonly #running = new Set<string>()
  /** How long questions took when they last ran, by shape. */
  readonly #durationsMs = new Map<string, number>()
  /** Processes that answer a heavy question, or aren't up again after one. */
  readonly #heavyProcesses = new Set<QueryProcess>()
  #runs = 0
  #hasAnswered = false
  #awaySince: string | null = null
  #isClosed = false

  constructor(options: QueryPoolOptions) {
    this.#options = options
    const { database, schema, journal, processes } = options
    this.#processes = Array.from(
      { length: processes },
      () => new QueryProcess({ database, schema, journal }, (freed) => this.#release(freed)),
    )
  }

  /** Resolves once every process is up; until then questions wait. Rejects if one can't start. */
  async ready(): Promise<void> {
    await Promise.all(this.#processes.map(({ ready }) => ready))
  }

  /** How many queries have been run so far. */
  get runs(): number {
    return this.#runs
  }

  /**
   * When a question first found that the database's server is away, as a timestamp; null while it
   * answers.
   */
  get awaySince(): string | null {
    return this.#awaySince
  }

  /** Answers as {@link answer} does, with text. */
  async ask(task: QueryTask, whenLeft?: WhenLeft): Promise<string> {
    return (await this.answer(task, whenLeft)).toString()
  }

  /**
   * Answers with JSON that was read after the call.
   *
   * @param whenLeft tells when the client no longer waits: a run that nobody waits for isn't begun.
   * @throws HttpError 400 and 404 for what the query refuses, 503 if it takes too long or the
   *   database can't be read.
   */
  async answer(task: QueryTask, whenLeft?: WhenLeft): Promise<Buffer> {
    return await this.#join(JSON.stringify(task), task, false, whenLeft)
  }

  async #join(key: string, task: QueryTask, isHeavy: boolean, whenLeft?: WhenLeft): Promise<Buffer> {
    if (this.#isClosed) throw unavailable('the server is stopping')
    const run = this.#waiting.get(key) ?? this.#enqueue(key, task, isHeavy)
    run.askers++
    whenLeft?.(() => this.#leave(run))
    this.#startWaiting()
    try {
      return await run.answer
    } catch (error) {
      if (!(error instanceof IsHeavy)) throw error
      return await this.#join(`heavy ${key}`, task, true, whenLeft)
    }
  }

  /** Ends what runs; clients that wait are told so. */
  close(): void {
    this.#isClosed = true
    for (const run of this.#waiting.values()) this.#drop(run, unavailable('the server is stopping'))
    for (const process of this.#processes) process.close()
  }

  #enqueue(key: string, task: QueryTask, isHeavy: boolean): Run {
    if (this.#waiting.size >= MAX_WAITING) {
      throw unavailable(`${MAX_WAITING} other queries are waiting already`)
    }
    const { timeoutMs } = this.#options
    let resolve: Run['resolve'] = () => {}
    let reject: Run['reject'] = () => {}
    const answer = new Promise<Buffer>((...settle) => {
      ;[resolve, reject] = settle
    })
    const timer = setTimeout(() => this.#drop(run, timedOut(timeoutMs)), timeoutMs)
    const run = { key, task, isHeavy, answer, resolve, reject, timer, isResting: false, askers: 0 }
    this.#waiting.set(key, run)
    return run
  }

  /** Takes a run that hasn't begun out of the queue. */
  #drop(run: Run, reason: unknown): void {
    if (this.#waiting.get(run.key) === run) this.#waiting.delete(run.key)
    clearTimeout(run.timer)
    run.reject(reason)
  }

  #leave(run: Run): void {
    run.askers--
    // A run that has begun goes on: starting a new process costs as much as most runs still would.
    if (run.askers === 0 && this.#waiting.get(run.key) === run)
      this.#drop(run, unavailable('nobody waits for it'))
  }

  #startWaiting(): void {
    for (const run of this.#waiting.values()) {
      const process = this.#processes.find(({ isBusy }) => !isBusy)
      if (process === undefined || this.#isClosed) return
      if (run.isResting || this.#running.has(run.key)) continue
      const isHeavy = run.isHeavy || this.#isHeavy(run.task)
      if (isHeavy && this.#heavyProcesses.size >= Math.max(1, this.#processes.length - 1)) continue
      this.#waiting.delete(run.key)
      if (isHeavy) this.#heavyProcesses.add(process)
      void this.#start(run, process)
    }
  }

  async #start(run: Run, process: QueryProcess): Promise<void> {
    const { task, isHeavy } = run
    clearTimeout(run.timer)
    this.#running.add(run.key)
    this.#runs++
    const startedAt = performance.now()
    try {
      const { timeoutMs } = this.#options
      const outcome = await process.run({ task, timeoutMs, mayBeHeavy: isHeavy })
      if (outcome.is === 'answer') {
        // Only for answers: refused questions could have endlessly many shapes.
        this.#durationsMs.set(shapeOf(task), performance.now() - startedAt)
        this.#hasAnswered = true
        this.#awaySince = null
        run.resolve(outcome.json)
      } else run.reject(this.#refusal(outcome))
    } catch (error) {
      // The process was killed. Until another is up it counts as heavy, so that one stays free for
      // light questions.
      this.#heavyProcesses.add(process)
      run.reject(this.#asHttpError(error))
    } finally {
      this.#running.delete(run.key)
      this.#rest(run.key, performance.now() - startedAt)
      this.#startWaiting()
    }
  }

  /** Lets others have a turn before a question that is asked all the time runs again. */
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

  #release(freed: QueryProcess): void {
    this.#heavyProcesses.delete(freed)
    this.#startWaiting()
  }

  #refusal(outcome: QueryRefusal): Error {
    switch (outcome.is) {
      case 'refused':
        return outcome.isUnknownName ? notFound(outcome.message) : badRequest(outcome.message)
      case 'timedOut':
        return timedOut(this.#options.timeoutMs)
      case 'heavy':
        return new IsHeavy()
      case 'unavailable':
        // That the server waits for a database has been logged already.
        if (outcome.code !== 'DATABASE_MISSING' || this.#hasAnswered) {
          this.#options.onFailure(new Error(outcome.message))
        }
        if (outcome.code === 'DATABASE_MISSING') return unavailable(NO_DATABASE)
        if (outcome.code === 'SCHEMA_MISSING') {
          // The server says so: it isn't away.
          this.#awaySince = null
          return unavailable(NO_TABLES)
        }
        if (outcome.code === 'SERVER_AWAY') {
          this.#awaySince ??= new Date().toISOString()
          return unavailable(serverAway(this.#awaySince))
        }
        return unavailable("the database can't be read now; the log of the server says why")
      case 'failed':
        this.#options.onFailure(new Error(outcome.stack))
        return internalError()
    }
  }

  #asHttpError(error: unknown): HttpError {
    if (error instanceof HttpError) return error
    if (this.#isClosed) return unavailable('the server is stopping')
    this.#options.onFailure(error)
    return unavailable('the query was ended, as when it needs too much memory; ask with limit= or a filter')
  }
}

/** A question turned out to be heavy that must not be; it is asked once more as one that may. */
class IsHeavy extends Error {}

/**
 * Options whose values come from short lists: only those count, which bounds the number of shapes.
 */
const TELLING = new Set(['groupBy', 'range', 'by', 'bucket', 'dimension'])

/** A key that questions of similar cost share: the same parameters, with few of their values. */
function shapeOf({ query, options, window }: QueryTask): string {
  const given = Object.entries({ ...options, ...window }).filter(([, value]) => value !== undefined)
  const parts = given.map(([name, value]) =>
    TELLING.has(name) ? `${name}=${String(value).replace(/^label:.*/s, 'label')}` : name,
  )
  return [query, ...parts].join(' ')
}
