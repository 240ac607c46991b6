import { JournalError } from '../errors.js'
import { type Clock, errorCode } from '../files.js'
import { openSegment } from '../read/open-segment.js'
import type { Segment } from '../segments.js'
import { lastEntries, ManifestFile } from './manifest.js'
import { SegmentDigester } from './segment-digest.js'

/** How long after its UTC day a segment is sealed: writers look for a new day each second, but clocks differ. */
const SEAL_AFTER_MS = 10 * 60_000
const DAY_MS = 24 * 60 * 60_000

/** Between two looks of a daemon for something to seal. */
const LOOK_MS = 60_000

/** The part of a pino logger that is called. */
export interface SealLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** When a segment may be sealed. */
export function sealableAt({ day }: Pick<Segment, 'day'>): number {
  return Date.parse(`${day}T00:00:00.000Z`) + DAY_MS + SEAL_AFTER_MS
}

/**
 * Adds an entry to the manifest for each segment whose day is over: what its bytes were by then. Failing to never stops
 * anything else: it is said in the log and tried again.
 */
export class Sealer {
  readonly #directory: string
  readonly #clock: Clock
  readonly #logger: SealLogger
  readonly #manifest: ManifestFile
  readonly #checkWritable: () => void
  #running: Promise<void> | null = null
  #isStopping = false
  #lookedAt = Number.NEGATIVE_INFINITY
  #seenList: readonly Segment[] | null = null
  /** The earliest moment at which one of the seen segments can be sealed. */
  #nextAt = Number.NEGATIVE_INFINITY
  #saidFailure = ''

  /** @param checkWritable throws the file system's error where entries can't be added. */
  constructor(directory: string, clock: Clock, logger: SealLogger, checkWritable?: () => void) {
    this.#directory = directory
    this.#clock = clock
    this.#logger = logger
    this.#manifest = new ManifestFile(directory)
    this.#checkWritable = checkWritable ?? (() => this.#manifest.checkWritable())
  }

  /**
   * Begins to seal in the background, about once a minute and only where something can be due.
   *
   * @param list is asked for then; the same array means that nothing was added.
   */
  startIfDue(list: () => readonly Segment[]): void {
    const now = this.#clock.now()
    if (this.#running !== null || (now - this.#lookedAt < LOOK_MS && now >= this.#lookedAt)) return
    this.#lookedAt = now
    const segments = list()
    if (segments === this.#seenList && now < this.#nextAt) return
    this.#running = this.seal(segments).finally(() => {
      this.#running = null
    })
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Ends behind the entry that is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#running
  }

  /** Seals what is due, in order. */
  async seal(segments: readonly Segment[]): Promise<void> {
    const now = this.#clock.now()
    try {
      const sealed = lastEntries(this.#manifest.read(), 'sealed')
      const open = segments.filter(({ name }) => !sealed.has(name))
      const due = open.filter((segment) => sealableAt(segment) <= now)
      if (due.length > 0) {
        // Before reading gigabytes for nothing: adding no entry throws where the chain is broken.
        this.#manifest.append(() => null, now)
        this.#checkWritable()
      }
      for (const segment of due) {
        if (this.#isStopping) return
        await this.#sealSegment(segment, now)
      }
      const later = open.map(sealableAt).filter((at) => at > now)
      this.#nextAt = Math.min(...later)
      this.#seenList = segments
      this.#saidFailure = ''
    } catch (error) {
      this.#sayFailure(error)
    }
  }

  async #sealSegment(segment: Segment, now: number): Promise<void> {
    const digester = new SegmentDigester()
    const source = openSegment(this.#directory, segment)
    try {
      // A segment that still grows is sealed at the size that it had.
      const limit = Number(source.stats.size)
      const nothing = () => {}
      while (segment.isArchived || source.readOffset < limit) {
        if (this.#isStopping) return
        if ((await source.readChunk(nothing, (bytes) => digester.add(bytes))) === 0) break
      }
      // What the chain says was there must survive a power cut.
      await source.sync()
    } finally {
      source.close()
    }
    const digest = digester.digest()
    const { name } = segment
    const entry = this.#manifest.append(
      (manifest) =>
        lastEntries(manifest, 'sealed').has(name) ? null : { kind: 'sealed', segment: name, ...digest },
      now,
    )
    if (entry !== null) this.#logger.info({ segment: name, ...digest }, 'Sealed')
  }

  /** Once for each reason. */
  #sayFailure(error: unknown): void {
    const code = errorCode(error) ?? ''
    const text = error instanceof Error ? error.message : String(error)
    if (text === this.#saidFailure) return
    this.#saidFailure = text
    if (['EROFS', 'EACCES', 'EPERM'].includes(code)) {
      const fields = { path: this.#manifest.path, code }
      this.#logger.info(fields, 'This user can not write to the journal: closed segments are not sealed')
    } else {
      const fields = { err: error, path: error instanceof JournalError ? error.path : this.#manifest.path }
      this.#logger.warn(fields, 'Closed segments are not sealed for now')
    }
  }
}
