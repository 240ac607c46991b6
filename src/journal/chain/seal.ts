import { JournalError } from '../errors.js'
import { type Clock, errorCode, reasonOf } from '../file-system.js'
import type { Logger } from '../logger.js'
import { openSegment } from '../read/open-segment.js'
import type { Segment } from '../segments.js'
import { lastEntries, ManifestFile } from './manifest.js'
import { SegmentDigester } from './segment-digest.js'

/**
 * How long after the end of its UTC day a segment is sealed. Writers check each second whether a
 * new day has begun, but their clocks differ.
 */
const SEAL_AFTER_MS = 10 * 60_000
const DAY_MS = 24 * 60 * 60_000

/** How long a daemon waits between two looks for segments to seal. */
const LOOK_MS = 60_000

/** The moment from which a segment may be sealed, in milliseconds since 1970 UTC. */
export function sealableAt({ day }: Pick<Segment, 'day'>): number {
  return Date.parse(`${day}T00:00:00.000Z`) + DAY_MS + SEAL_AFTER_MS
}

/**
 * Seals segments: for each one whose day is over, it adds the digest of its bytes to the manifest.
 * A failure stops nothing else; it is logged, and the next look tries again.
 */
export class Sealer {
  readonly #directory: string
  readonly #clock: Clock
  readonly #logger: Pick<Logger, 'info' | 'warn'>
  readonly #manifest: ManifestFile
  #running: Promise<void> | null = null
  #isStopping = false
  #lookedAt = Number.NEGATIVE_INFINITY
  #loggedFailure = ''

  constructor(directory: string, clock: Clock, logger: Pick<Logger, 'info' | 'warn'>) {
    this.#directory = directory
    this.#clock = clock
    this.#logger = logger
    this.#manifest = new ManifestFile(directory)
  }

  /**
   * Begins to seal in the background, at most once a minute.
   *
   * @param list gives the journal's segments.
   */
  startIfDue(list: () => readonly Segment[]): void {
    const now = this.#clock.now()
    if (this.#running !== null || (now - this.#lookedAt < LOOK_MS && now >= this.#lookedAt)) return
    this.#lookedAt = now
    this.#running = this.seal(list()).finally(() => {
      this.#running = null
    })
  }

  /** Resolves once nothing is being sealed. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Resolves once the segment that is being sealed has been finished or given up. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#running
  }

  /** Seals the segments that are due, in order. Never rejects. */
  async seal(segments: readonly Segment[]): Promise<void> {
    const now = this.#clock.now()
    try {
      const sealed = lastEntries(this.#manifest.read(), 'sealed')
      const due = segments.filter((segment) => !sealed.has(segment.name) && sealableAt(segment) <= now)
      if (due.length > 0) {
        // Checked first: if the chain is broken, this throws before gigabytes are read for nothing.
        this.#manifest.append(() => null, now)
        this.#manifest.checkWritable()
      }
      for (const segment of due) {
        if (this.#isStopping) return
        await this.#sealSegment(segment, now)
      }
      this.#loggedFailure = ''
    } catch (error) {
      this.#logFailure(error)
    }
  }

  async #sealSegment(segment: Segment, now: number): Promise<void> {
    const digester = new SegmentDigester()
    const source = openSegment(this.#directory, segment)
    try {
      // A segment that is still growing is sealed at the size that it has now.
      const limit = Number(source.stats.size)
      while (segment.state !== 'plain' || source.readOffset < limit) {
        if (this.#isStopping) return
        const chunk = await source.read()
        if (chunk === null) break
        digester.add(chunk.bytes)
      }
      // The bytes that the chain vouches for must survive a power cut.
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

  /** Logs a failure, but not the same one twice in a row. */
  #logFailure(error: unknown): void {
    const code = errorCode(error) ?? ''
    const text = reasonOf(error)
    if (text === this.#loggedFailure) return
    this.#loggedFailure = text
    if (['EROFS', 'EACCES', 'EPERM'].includes(code)) {
      const fields = { path: this.#manifest.path, code }
      this.#logger.info(fields, "This user can't write to the journal: segments of past days aren't sealed")
    } else {
      const fields = { err: error, path: error instanceof JournalError ? error.path : this.#manifest.path }
      this.#logger.warn(fields, "Segments of past days aren't sealed for now")
    }
  }
}
