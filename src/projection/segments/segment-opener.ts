import { openSegment } from '../../journal/read/open-segment.js'
import { packageFile } from '../../package/package-files.js'
import type { DecodedSegment } from '../decoded-segment.js'
import type { SegmentToOpen } from '../offload/decoder-messages.js'
import { DecodingWorker } from '../offload/decoding-worker.js'
import { SegmentDecoder } from '../segment-decoder.js'

/** Bytes of lines from where on a thread of its own decodes them: below, it is ready when all is done. */
const WORKER_FROM_BYTES = 16 * 1024 * 1024

/** The built program, also for tests, which run the sources. A bundle may have left it behind. */
const THREAD_FILE = 'dist/projection/offload/decoder-thread.js'

/**
 * Opens segments to decode them: on another thread if there is much to read and the thread's program is there, otherwise
 * on this one.
 */
export class SegmentOpener {
  readonly #worker: DecodingWorker | null

  constructor(directory: string, bytes: number, workerFromBytes = WORKER_FROM_BYTES) {
    const thread = bytes >= workerFromBytes ? packageFile(THREAD_FILE) : null
    this.#worker = thread === null ? null : new DecodingWorker(directory, thread)
  }

  /**
   * One after the other, each closed when the next is asked for. The other thread begins with the next one while this one
   * is still busy with what was read before.
   *
   * @throws JournalError SEGMENT_UNREADABLE; ProjectionError DECODER_LOST.
   */
  async *openEach<T extends SegmentToOpen>(
    all: readonly T[],
  ): AsyncGenerator<{ toOpen: T; decoded: DecodedSegment }> {
    let ahead: Promise<DecodedSegment> | null = null
    for (const [index, toOpen] of all.entries()) {
      const decoded = await (ahead ?? this.#open(toOpen))
      const next = all[index + 1]
      ahead = this.#worker === null || next === undefined ? null : this.#worker.open(next)
      // It is thrown when its turn comes.
      ahead?.catch(() => {})
      try {
        yield { toOpen, decoded }
      } finally {
        decoded.close()
      }
    }
  }

  async close(): Promise<void> {
    await this.#worker?.close()
  }

  async #open(toOpen: SegmentToOpen): Promise<DecodedSegment> {
    if (this.#worker !== null) return await this.#worker.open(toOpen)
    const { directory, segment, position, positionCrc32 } = toOpen
    return new SegmentDecoder(openSegment(directory, segment, { position, positionCrc32 }), segment, toOpen)
  }
}
