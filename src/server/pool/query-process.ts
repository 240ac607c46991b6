import { type ChildProcess, fork } from 'node:child_process'
import { clearTimeout, setTimeout } from 'node:timers'
import { requirePackageFile } from '../../package/package-files.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import { ANSWER_MARGIN_MS } from '../../store/postgres/query/query-connection.js'
import { discardCopiesOf } from '../../store/sqlite/connection/read-only-mount-copy.js'
import { unavailable } from '../http/errors.js'
import type { MessageFromProcess, QueryMessage, QueryOutcome, QueryProcessData } from './query-task.js'

/** The built program; tests, which run the sources, use it too. */
const WORKER_FILE = 'dist/server/pool/query-worker.js'

/** How much memory the objects of one answer may take. With more, only the query's process ends. */
const MAX_HEAP_MB = 512

/** Queries check the time and end a little late. After this much more time, they are killed. */
const GRACE_MS = 250

/** How long to wait before starting a process again that couldn't start. */
const RETRY_MS = 1000

const KEPT_ERROR_CHARACTERS = 4000

/** The processes to kill when this one exits. */
const children = new Set<ChildProcess>()
const killAll = () => {
  for (const child of children) child.kill('SIGKILL')
}

interface Running {
  resolve(outcome: QueryOutcome): void
  reject(error: Error): void
}

/**
 * A process that answers one question at a time, and is killed if that takes too long.
 *
 * A thread couldn't be killed, because nothing interrupts SQLite in the middle of a step. And a
 * thread that ran out of memory in native code would end the whole process.
 */
export class QueryProcess {
  readonly #worker = requirePackageFile(WORKER_FILE)
  readonly #data: QueryProcessData
  readonly #onFree: (freed: QueryProcess) => void
  /** Resolves once it has started for the first time; rejects with its output if it can't start. */
  readonly ready: Promise<void>
  #settleReady: { resolve(): void; reject(error: Error): void } | null = null
  #child: ChildProcess | null = null
  #running: Running | null = null
  #retry: NodeJS.Timeout | undefined
  #isUp = false
  #isClosed = false

  /** @param onFree called when it can take a question: once it has started, and after each. */
  constructor(data: QueryProcessData, onFree: (freed: QueryProcess) => void) {
    this.#data = data
    this.#onFree = onFree
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject }
    })
    // Without this, a rejection would end the process if nobody awaits the promise.
    this.ready.catch(() => {})
    this.#start()
  }

  /** With PostgreSQL, it takes longer to notice that its server has stopped answering. */
  get #graceMs(): number {
    return isPostgresAddress(this.#data.database) ? GRACE_MS + ANSWER_MARGIN_MS : GRACE_MS
  }

  get isBusy(): boolean {
    return !this.#isUp || this.#running !== null
  }

  /**
   * Answers a question. May be called only while it isn't busy.
   *
   * @throws HttpError 503 if it takes too long.
   * @throws Error if the process ends, for example for lack of memory.
   */
  async run(message: QueryMessage): Promise<QueryOutcome> {
    let isOverdue = false
    const timer = setTimeout(() => {
      isOverdue = true
      this.#child?.kill('SIGKILL')
    }, message.timeoutMs + this.#graceMs)
    try {
      return await new Promise<QueryOutcome>((resolve, reject) => {
        this.#running = { resolve, reject }
        // If this fails, the process has ended: 'close' follows.
        this.#child?.send(message, () => {})
      })
    } catch (error) {
      throw isOverdue ? timedOut(message.timeoutMs) : error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Kills the process, and the question that it is answering. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
    const child = this.#child
    child?.kill('SIGKILL')
    // `#end` would do this too, but this process may exit before it is called.
    if (child?.pid !== undefined) discardCopiesOf(child.pid)
  }

  #start(): void {
    const { database, schema, journal } = this.#data
    let child: ChildProcess
    try {
      child = fork(this.#worker, [database, schema, journal], {
        // Leaves out this process's options: only one process can have a debugger's port, say.
        execArgv: [`--max-old-space-size=${MAX_HEAP_MB}`],
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      })
    } catch (error) {
      this.#end(null, String(error))
      return
    }
    this.#child = child
    // If there are no free descriptors, no process is started, and 'close' is never emitted.
    child.on('error', (error) => this.#end(child, String(error)))
    if (child.pid === undefined) return
    if (children.size === 0) process.on('exit', killAll)
    children.add(child)
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-KEPT_ERROR_CHARACTERS)
    })
    child.on('message', (message: MessageFromProcess) => this.#hear(message))
    child.on('close', (code, signal) => this.#end(child, `${signal ?? `exit ${code}`} ${said}`.trim()))
  }

  #hear(message: MessageFromProcess): void {
    if (message.is === 'ready') {
      this.#isUp = true
      this.#settleReady?.resolve()
    } else {
      const running = this.#running
      this.#running = null
      running?.resolve(message)
    }
    this.#onFree(this)
  }

  /** Handles the end of a process, or that it couldn't start, and starts another one. */
  #end(child: ChildProcess | null, reason: string): void {
    if (child !== null && children.delete(child) && children.size === 0) process.off('exit', killAll)
    if (this.#child !== child) return
    if (child?.pid !== undefined) discardCopiesOf(child.pid)
    const wasUp = this.#isUp
    const running = this.#running
    const error = new Error(`A process that answers questions has ended: ${reason}`)
    this.#child = null
    this.#isUp = false
    this.#running = null
    this.#settleReady?.reject(error)
    running?.reject(error)
    if (!this.#isClosed) this.#retry = setTimeout(() => this.#start(), wasUp ? 0 : RETRY_MS)
  }
}

export function timedOut(timeoutMs: number): Error {
  return unavailable(
    `the query took longer than ${timeoutMs / 1000} s and was ended; ask for a shorter window, or page with a cursor`,
  )
}
