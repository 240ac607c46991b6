import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { requirePackageFile } from '../../../package/package-files.js'
import { ANSWERED, BEATS, type QueryAnswer, type QueryCall, type QueryWorkerData } from './query-messages.js'

/** The built program; tests, which run the sources, use it too. */
const WORKER_FILE = 'dist/store/postgres/query/query-worker.js'

/** How long the thread may give no sign of life, twice: the machine may have slept in between. */
const SILENCE_MS = 15_000

type MessagePort = MessageChannel['port1']

/** The thread that talks to the server for a caller that waits for it. */
export class QueryThread {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #signal = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  readonly #silenceMs: number

  constructor(address: string, schema: string, silenceMs = SILENCE_MS) {
    this.#silenceMs = silenceMs
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const data: QueryWorkerData = { port: port2, signal: this.#signal, address, schema }
    this.#worker = new Worker(requirePackageFile(WORKER_FILE), { workerData: data, transferList: [port2] })
    this.#worker.unref()
    // Whoever waited for it has been told.
    this.#worker.on('error', () => {})
  }

  /**
   * Blocks until the thread has done what it is asked.
   *
   * @param limitMs null: however long it takes.
   * @returns 'late' if that took too long, 'ended' if the thread ended by itself, as it does when
   *   memory runs out. Then it is of no use any more: its answer, if it comes, would be taken for
   *   that to another call.
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

  /** Ends the thread, and its connection with it. */
  end(): void {
    this.#port.close()
    void this.#worker.terminate()
  }
}
