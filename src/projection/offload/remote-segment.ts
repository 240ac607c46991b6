import type { FileIdentity } from '../../journal/file-identity.js'
import type { SegmentPosition } from '../../store/sqlite/positions.js'
import type { DecodedPart, DecodedSegment, LineTarget, SegmentDigests } from '../decoded-segment.js'
import { type Behind, type DecoderAnswer, revivedError } from './decoder-messages.js'
import type { LineUnpacker } from './line-unpacker.js'

interface RemoteSegmentOptions {
  segmentId: number
  /** Where reading begins. */
  behind: Behind
  unpacker: LineUnpacker
  request(kind: 'sync' | 'close'): void
  release(buffer: ArrayBuffer): void
}

/** A segment that a decoding thread reads, as the thread sees it that folds its lines. One call at a time. */
export class RemoteSegment implements DecodedSegment {
  readonly #options: RemoteSegmentOptions
  #opened = { path: '', isArchive: false, file: { device: '', inode: '' } }
  #behind: Behind
  #digests: SegmentDigests = { prefixCrc32: 0, sha256: null }
  #isOpened = false
  #isSynced = false
  #isAtEnd = false
  readonly #parts: Extract<DecoderAnswer, { kind: 'part' }>[] = []
  #failure: Error | null = null
  #wake = () => {}

  constructor(options: RemoteSegmentOptions) {
    this.#options = options
    this.#behind = options.behind
  }

  get path(): string {
    return this.#opened.path
  }

  get isArchive(): boolean {
    return this.#opened.isArchive
  }

  get file(): FileIdentity {
    return this.#opened.file
  }

  get position(): number {
    return this.#behind.position
  }

  get positionCrc32(): number {
    return this.#behind.positionCrc32
  }

  lastLine(): SegmentPosition['lastLine'] {
    return this.#behind.lastLine
  }

  digests(): SegmentDigests {
    return this.#digests
  }

  async opened(): Promise<void> {
    await this.#until(() => this.#isOpened)
  }

  async read(target: LineTarget): Promise<DecodedPart | null> {
    await this.#until(() => this.#parts.length > 0 || this.#isAtEnd)
    const next = this.#parts.shift()
    if (next === undefined) return null
    const { segmentId, unpacker, release } = this.#options
    unpacker.unpack(next.lines, segmentId, target)
    release(next.lines.buffer)
    this.#behind = next.behind
    return next.part
  }

  async sync(): Promise<void> {
    this.#isSynced = false
    this.#options.request('sync')
    await this.#until(() => this.#isSynced)
  }

  close(): void {
    for (const { lines } of this.#parts.splice(0)) this.#options.release(lines.buffer)
    this.#options.request('close')
  }

  receive(answer: DecoderAnswer): void {
    switch (answer.kind) {
      case 'opened':
        this.#opened = answer
        this.#isOpened = true
        break
      case 'part':
        this.#parts.push(answer)
        break
      case 'end':
        this.#digests = answer.digests
        this.#isAtEnd = true
        break
      case 'synced':
        this.#isSynced = true
        break
      case 'failed':
        this.#failure = revivedError(answer.error)
        break
      default:
        answer satisfies never
    }
    this.#wake()
  }

  /** The thread has ended. */
  fail(error: Error): void {
    this.#failure = error
    this.#wake()
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#failure !== null) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
