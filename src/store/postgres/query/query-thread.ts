import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { requirePackageFile } from '../../../package/package-files.js'
import type { QueryAnswer, QueryCall, QueryWorkerData } from './query-messages.js'

/** The built program; tests, which run the sources, use it too. */
const WORKER_FILE = 'dist/store/postgres/query/query-worker.js'

type MessagePort = MessageChannel['port1']

/** The thread that talks to the server for a caller that waits for it. */
export class QueryThread {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #signal = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

  constructor(address: string, schema: string) {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const data: QueryWorkerData = { port: port2, signal: this.#signal, address, schema }
    this.#worker = new Worker(requirePackageFile(WORKER_FILE), { workerData: data, transferList: [port2] })
    this.#worker.unref()
  }

  /**
   * Blocks until the thread has done what it is asked.
   *
   * @param limitMs null: however long it takes.
   * @returns null if that took too long. Then the thread is of no use any more: its answer, if it
   *   comes, would be taken for that to another call.
   */
  call(call: QueryCall, limitMs: number | null): QueryAnswer | null {
    Atomics.store(this.#signal, 0, 0)
    this.#port.postMessage(call)
    if (Atomics.wait(this.#signal, 0, 0, limitMs ?? undefined) === 'timed-out') return null
    return (receiveMessageOnPort(this.#port) as { message: QueryAnswer }).message
  }

  /** Ends the thread, and its connection with it. */
  end(): void {
    this.#port.close()
    void this.#worker.terminate()
  }
}
