import { clearTimeout, setTimeout } from 'node:timers'
import type { OnDisconnect } from '../http/bounds.js'
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

/** Questions that never take long, or that report at once if they would. */
const ALWAYS_LIGHT: ReadonlySet<QueryName> = new Set(['getRequest', 'newRequests', 'health', 'metrics'])

/** The longest rest between two runs of a question that is asked all the time. */
const MAX_REST_MS = 25

/** How many different questions may wait at once. */
const MAX_WAITING = 500

export interface QueryPoolOptions extends QueryProcessData {
  /** How many questions are answered at once, each in a process of its own. */
  processes: number
  /** How long a question may wait, and also how long it may then run. */
  timeoutMs: number
  /** Called with errors of the database, and with bugs. Clients get less detail. */
  onFailure(error: unknown): void
}

/** One run that answers everyone who asked the same before it began. */
interface Run {
  readonly key: string
  readonly task: QueryTask
  /** Whether the question has been refused as too heavy before. */
  readonly isHeavy: boolean
  /** The JSON. */
  readonly answer: Promise<Buffer>
  resolve(json: Buffer): void
  reject(error: unknown): void
  /** Rejects the run if it has to wait for too long. */
  timer: NodeJS.Timeout
  /** Whether it rests because the previous run of the same question has just ended. */
  isResting: boolean
  /** How many clients still want the answer. */
  askers: number
}

/**
 * Answers questions in separate processes, so that no query stalls the process that serves HTTP,
 * and each query can be killed.
 *
 * If a client asks a question that is being answered already, it waits for the next run, and shares
 * that run with everyone who asks before it begins. It doesn't join the current run, which may not
 * see what was committed before the client asked. So a thousand identical questions a second cost
 * only as many runs as fit one after another, each followed by a rest as long as itself, but of at
 * most 25 ms. A run that nobody waits for any more doesn't begin.
 *
 * Questions that were heavy when they last ran leave one process free for all others, if there are
 * several.
 */
export class QueryPool {
  readonly #options: QueryPoolOptions
  readonly #processes: QueryProcess[]
  /** Runs that haven't begun, by key, in order of arrival. */
  readonly #waiting = new Map<string, Run>()
  readonly #running = new Set<string>()
  /** How long questions took when they last ran, by their shape. */
  readonly #durationsMs = new Map<string, number>()
  /** Processes that are answering a heavy question, or haven't restarted after one. */
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

  /** Resolves once every process has started; questions wait for it. Rejects if one can't. */
  async ready(): Promise<void> {
    await Promise.all(this.#processes.map(({ ready }) => ready))
  }

  /** How many queries have been run so far. */
  get runs(): number {
    return this.#runs
  }

  /**
   * The timestamp at which a question first found that the database server doesn't answer; null
   * while it answers.
   */
  get awaySince(): string | null {
    return this.#awaySince
  }

  /** Answers like {@link answer}, but with a string. */
  async ask(task: QueryTask, onDisconnect?: OnDisconnect): Promise<string> {
    return (await this.answer(task, onDisconnect)).toString()
  }

  /**
   * Answers with JSON. The database is read after the call, never before it.
   *
   * @param onDisconnect calls back when the client stops waiting. A run for which no client waits
   *   isn't begun.
   * @throws HttpError 400 and 404 for what the query refuses, 503 if it takes too long or the
   *   database can't be read.
   */
  async answer(task: QueryTask, onDisconnect?: OnDisconnect): Promise<Buffer> {
    return await this.#join(JSON.stringify(task), task, false, onDisconnect)
  }

  async #join(key: string, task: QueryTask, isHeavy: boolean, onDisconnect?: OnDisconnect): Promise<Buffer> {
    if (this.#isClosed) throw unavailable('the server is stopping')
    const run = this.#waiting.get(key) ?? this.#enqueue(key, task, isHeavy)
    run.askers++
    onDisconnect?.(() => this.#leave(run))
    this.#startWaiting()
    try {
      return await run.answer
    } catch (error) {
      if (!(error instanceof HeavyQuestionError)) throw error
      return await this.#join(`heavy ${key}`, task, true, onDisconnect)
    }
  }

  /** Ends all runs. Clients that wait get an error. */
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
    // A run that has begun isn't stopped: a new process would cost as much as most runs still take.
    if (run.askers === 0 && this.#waiting.get(run.key) === run)
      this.#drop(run, unavailable('the client has disconnected'))
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
        // Only if there is an answer: refused questions could have any number of shapes.
        this.#durationsMs.set(shapeOf(task), performance.now() - startedAt)
        this.#hasAnswered = true
        this.#awaySince = null
        run.resolve(outcome.json)
      } else run.reject(this.#refusal(outcome))
    } catch (error) {
      // The process was killed. Until it has restarted it counts as heavy, so that another one
      // stays free for light questions.
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
        return new HeavyQuestionError()
      case 'unavailable':
        // At its start, the server has already logged that it waits for a database.
        if (outcome.code !== 'DATABASE_MISSING' || this.#hasAnswered) {
          this.#options.onFailure(new Error(outcome.message))
        }
        if (outcome.code === 'DATABASE_MISSING') return unavailable(NO_DATABASE)
        if (outcome.code === 'SCHEMA_MISSING') {
          // The database server has said so itself, so it does answer.
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
    return unavailable(
      'the query was ended, probably because it needed too much memory; ask with limit= or a filter',
    )
  }
}

/** A question that was run as a light one is heavy: it is asked again as a heavy one. */
class HeavyQuestionError extends Error {}

/**
 * The options whose values are part of a shape. They have few values each, which limits the number
 * of shapes.
 */
const OPTIONS_IN_SHAPE = new Set(['groupBy', 'range', 'by', 'bucket', 'dimension'])

/** Returns a key that questions of similar cost share: the names of parameters, and few values. */
function shapeOf({ query, options, window }: QueryTask): string {
  const given = Object.entries({ ...options, ...window }).filter(([, value]) => value !== undefined)
  const parts = given.map(([name, value]) =>
    OPTIONS_IN_SHAPE.has(name) ? `${name}=${String(value).replace(/^label:.*/s, 'label')}` : name,
  )
  return [query, ...parts].join(' ')
}
