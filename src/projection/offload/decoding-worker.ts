import { Worker } from 'node:worker_threads'
import type { DecodedSegment } from '../decoded-segment.js'
import { ProjectionError } from '../errors.js'
import type { DecoderAnswer, DecoderRequest, SegmentToOpen } from './decoder-messages.js'
import { LineUnpacker } from './line-unpacker.js'
import { RemoteSegment } from './remote-segment.js'

/** What it makes is garbage at once, so that more than this, up to V8's 48, saves no time. */
const YOUNG_MIB = 6

/**
 * A thread that reads and decodes segments while this one puts into the database what came before. It pays where there
 * are many lines: its start takes about as long as decoding 10,000 of them.
 */
export class DecodingWorker {
  readonly #worker: Worker
  readonly #segments = new Map<number, RemoteSegment>()
  readonly #unpacker = new LineUnpacker()
  readonly #directory: string
  #lastId = 0
  #failure: Error | null = null

  /** @param thread what the thread runs. */
  constructor(directory: string, thread: string | URL) {
    this.#directory = directory
    this.#worker = new Worker(thread, {
      name: 'decoder',
      // What the process was started with may be of no use to a file, as --input-type.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    })
    this.#worker.on('message', (answer: DecoderAnswer) => this.#receive(answer))
    this.#worker.on('error', (error) => this.#fail(error.message, error))
    this.#worker.on('messageerror', (error) => this.#fail(error.message, error))
    this.#worker.on('exit', (code) => this.#fail(`exit code ${code}`))
  }

  /** @throws JournalError SEGMENT_UNREADABLE; ProjectionError DECODER_LOST. */
  async open(open: SegmentToOpen): Promise<DecodedSegment> {
    if (this.#failure !== null) throw this.#failure
    const id = ++this.#lastId
    const segment = new RemoteSegment({
      segmentId: open.segment.id,
      behind: { position: open.position, positionCrc32: open.positionCrc32, lastLine: null },
      unpacker: this.#unpacker,
      request: (kind) => {
        if (kind === 'close') this.#segments.delete(id)
        this.#post({ kind, id })
      },
      release: (buffer) => this.#release(buffer),
    })
    this.#segments.set(id, segment)
    this.#post({ kind: 'open', id, open })
    await segment.opened()
    return segment
  }

  /** Ends the thread, whatever it does. */
  async close(): Promise<void> {
    this.#failure ??= new Error('the decoding thread was closed')
    await this.#worker.terminate()
  }

  #receive(answer: DecoderAnswer): void {
    if (answer.kind === 'part') this.#unpacker.learn(answer.lines)
    const segment = this.#segments.get(answer.id)
    if (segment !== undefined) segment.receive(answer)
    // Of one that was closed meanwhile.
    else if (answer.kind === 'part') this.#release(answer.lines.buffer)
  }

  #release(buffer: ArrayBuffer): void {
    this.#post({ kind: 'release', buffer }, [buffer])
  }

  #fail(found: string, cause?: Error): void {
    if (this.#failure !== null) return
    const advice = 'nothing of what it was reading was kept: start again'
    const text = `the thread that decodes lines has ended (${found}); ${advice}`
    this.#failure = new ProjectionError('DECODER_LOST', this.#directory, text, { cause })
    for (const segment of this.#segments.values()) segment.fail(this.#failure)
  }

  #post(request: DecoderRequest, transferred: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transferred)
  }
}
