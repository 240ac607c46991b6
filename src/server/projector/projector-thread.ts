import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { requirePackageFile } from '../../package/package-files.js'
import type { ProjectorLogger } from '../../projection/index.js'
import { type MessageFromProjector, type ProjectorThreadData, receivedError } from './projector-messages.js'

/** The built program; tests, which run the sources, use it too. */
const WORKER_FILE = 'dist/server/projector/projector-worker.js'

/** A projector in a thread of its own: one transaction of a catch-up may take a second. */
export class ProjectorThread {
  /** Resolves once the projector was stopped; rejects with the reason if it stopped by itself. */
  readonly finished: Promise<void>
  readonly #worker: Worker
  readonly #logger: ProjectorLogger
  /** The first error, which is the cause of any that follow. */
  #failure: Error | null = null
  #waitingFor: Error | null = null
  #isStopping = false
  #hasExited = false

  private constructor(data: ProjectorThreadData, logger: ProjectorLogger) {
    this.#logger = logger
    this.#worker = new Worker(requirePackageFile(WORKER_FILE), { workerData: data })
    this.#worker.on('message', (message: MessageFromProjector) => this.#hear(message))
    // An error that the projector throws arrives as a message, and is logged by the projector. This
    // is a bug, or memory has run out.
    this.#worker.on('error', (error) => {
      logger.error({ err: error }, 'Projector stopped: its thread failed')
      this.#failure ??= error
    })
    this.finished = new Promise((resolve, reject) => {
      this.#worker.on('exit', () => {
        this.#hasExited = true
        if (!this.#isStopping) this.#failure ??= new Error("the projector's thread has ended")
        if (this.#failure === null) resolve()
        else reject(this.#failure)
      })
    })
    // Without this, a rejection would end the process if nobody awaits the promise.
    this.finished.catch(() => {})
  }

  /**
   * Starts a projector, and resolves once it is running.
   *
   * @throws errors with the name, code and message of those that `startProjector` throws.
   */
  static async start(data: ProjectorThreadData, logger: ProjectorLogger): Promise<ProjectorThread> {
    const thread = new ProjectorThread(data, logger)
    await new Promise<void>((resolve, reject) => {
      thread.#worker.on('message', (message: MessageFromProjector) => {
        if (message.is === 'started') resolve()
        if (message.is === 'failed') reject(receivedError(message.error))
      })
      thread.#worker.once('exit', () => reject(thread.#failure))
    })
    return thread
  }

  /** The code of the error that ended it, whose message may have paths; null while it runs. */
  get failureCode(): string | null {
    return codeOf(this.#failure)
  }

  /** The code of the error because of which it makes no progress for now; null while it does. */
  get waitingCode(): string | null {
    return codeOf(this.#waitingFor)
  }

  /** Stops the projector once its transaction is finished. */
  async stop(): Promise<void> {
    this.#isStopping = true
    if (this.#hasExited) return
    const exit = once(this.#worker, 'exit')
    this.#worker.postMessage('stop')
    await exit
  }

  #hear(message: MessageFromProjector): void {
    if (message.is === 'log') {
      const { level, fields, message: text } = message
      const { err } = fields as { err?: Parameters<typeof receivedError>[0] }
      this.#logger[level](err === undefined ? fields : { ...fields, err: receivedError(err) }, text)
    } else if (message.is === 'waiting') {
      this.#waitingFor = message.reason === null ? null : receivedError(message.reason)
    } else if (message.is === 'failed') this.#failure ??= receivedError(message.error)
  }
}

function codeOf(error: Error | null): string | null {
  if (error === null) return null
  const { code, name } = error as Error & { code?: string }
  return code ?? name
}
