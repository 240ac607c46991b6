import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { requirePackageFile } from '../../../package/package-files.js'
import { ANSWERED, BEATS, type QueryAnswer, type QueryCall, type QueryWorkerData } from './query-messages.js'

/** A file of the built program. Tests, which run the sources, use it too. */
const WORKER_FILE = 'dist/store/postgres/query/query-worker.js'

/**
 * How long the thread may give no sign of life. It counts as dead only after two such periods,
 * since the machine may have slept in between.
 */
const SILENCE_MS = 15_000

/** How many signs of life the thread gives in that time. */
const BEATS_IN_SILENCE = 15

type MessagePort = MessageChannel['port1']

/** How long a thread is kept for the next connection. Starting one takes 50 to 100 ms. */
const SPARE_MS = 10_000

/** A thread whose connection was closed. */
let spare: QueryThread | null = null

/** The thread that talks to the server for a caller that waits for it. */
export class QueryThread {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #signal = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  readonly #silenceMs: number

  /** A thread for a connection to a schema: the one that was kept, or a new one. */
  static take(address: string, schema: string): QueryThread {
    const thread = spare ?? new QueryThread()
    spare = null
    thread.use(address, schema)
    return thread
  }

  constructor(silenceMs = SILENCE_MS) {
    this.#silenceMs = silenceMs
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const data: QueryWorkerData = { port: port2, signal: this.#signal, beatMs: silenceMs / BEATS_IN_SILENCE }
    this.#worker = new Worker(requirePackageFile(WORKER_FILE), { workerData: data, transferList: [port2] })
    this.#worker.unref()
    // Whoever waited for the thread gets 'ended' from `call`.
    this.#worker.on('error', () => {})
    this.#worker.on('exit', () => this.#forget())
  }

  /** Sets where the thread connects to from its next call on. */
  use(address: string, schema: string): void {
    this.#port.postMessage({ is: 'use', address, schema } satisfies QueryCall)
  }

  /**
   * Blocks until the thread has done what it is asked.
   *
   * @param limitMs null if it may take as long as it needs.
   * @returns 'late' if that took too long, 'ended' if the thread ended by itself, as it does when
   *   memory runs out. Don't use the thread after either: if its answer still came, it would be
   *   taken for the answer to another call.
   */
  call(call: QueryCall, limitMs: number | null): QueryAnswer | 'late' | 'ended' {
    const signal = this.#signal
    const endsAt = limitMs === null ? Number.POSITIVE_INFINITY : performance.now() + limitMs
    Atomics.store(signal, ANSWERED, 0)
    this.#port.postMessage(call)
    let beats = Atomics.load(signal, BEATS)
    for (let silences = 0; ; ) {
      const waitMs = Math.max(0, Math.min(this.#silenceMs, endsAt - performance.now()))
      if (Atomics.wait(signal, ANSWERED, 0, waitMs) !== 'timed-out') break
      if (performance.now() >= endsAt) return 'late'
      const heard = Atomics.load(signal, BEATS)
      silences = heard === beats ? silences + 1 : 0
      beats = heard
      if (silences === 2) return 'ended'
    }
    return (receiveMessageOnPort(this.#port) as { message: QueryAnswer }).message
  }

  /** Closes the connection, and keeps the thread for another one. */
  release(limitMs: number): void {
    if (typeof this.call({ is: 'close' }, limitMs) === 'string' || spare !== null) {
      this.end()
      return
    }
    spare = this
    setTimeout(() => {
      if (spare === this) this.end()
    }, SPARE_MS).unref()
  }

  /** Ends the thread, and its connection with it. */
  end(): void {
    this.#forget()
    this.#port.close()
    void this.#worker.terminate()
  }

  #forget(): void {
    if (spare === this) spare = null
  }
}
