import { statSync } from 'node:fs'
import { isSettled } from '../../journal/file-system.js'
import { type JournalIdentity, readIdentity } from '../../journal/journal-identity.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import { ProjectionError } from '../../store/errors.js'
import type { Store } from '../../store/port.js'
import type { PrunedSegments } from '../../store/pruned-segments.js'
import type { ProjectedSegments } from '../projected-segments.js'
import { type MissingSegment, missingSegments, missingSegmentsError } from './missing-segments.js'
import type { ProjectedArchives } from './projected-archives.js'

export interface KnownToJournalSegments {
  projected: ProjectedSegments
  archives: ProjectedArchives
  pruned: PrunedSegments
  /** The names of missing segments that somebody has accepted. */
  accepted: Set<string>
}

/** The journal's segments, none of which may be missing. */
export class JournalSegments {
  readonly #options: JournalSegmentsOptions
  readonly #known: KnownToJournalSegments
  #segments: readonly Segment[] = []
  #mtimeMs = Number.NaN
  #checked: readonly Segment[] = []

  constructor(options: JournalSegmentsOptions, known: KnownToJournalSegments) {
    this.#options = options
    this.#known = known
  }

  /**
   * Returns the segments. The directory is listed again only after it has changed, since a journal
   * may have thousands of files.
   */
  list(): readonly Segment[] {
    const { directory } = this.#options
    const mtimeMs = statSync(directory, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN
    if (mtimeMs !== this.#mtimeMs || !isSettled(mtimeMs, Date.now())) {
      this.#segments = listSegments(directory)
      this.#mtimeMs = mtimeMs
    }
    return this.#segments
  }

  /** Makes the next call list the directory again, because a segment of the list isn't there. */
  forget(): void {
    this.#mtimeMs = Number.NaN
  }

  /**
   * Returns every segment, after checking that this is the right journal and that no segment is
   * missing.
   *
   * @throws JournalError when the journal can't be found for now; ProjectionError OTHER_JOURNAL,
   *   SEGMENT_MISSING, SEGMENT_TRUNCATED.
   */
  async check(): Promise<readonly Segment[]> {
    const listed = this.list()
    if (listed === this.#checked) return listed
    this.#checkIsSameJournal()
    let segments = listed
    let missing = this.#missing(segments)
    if (missing.some(({ name }) => !this.#known.accepted.has(name))) {
      // The whole journal may have been missing when it was listed, and may be back now.
      this.forget()
      segments = this.list()
      this.#checkIsSameJournal()
      missing = this.#missing(segments)
    }
    await this.#accept(missing)
    this.#checked = segments
    return segments
  }

  /** Finds the missing segments, including accepted ones, since one of those may be back. */
  #missing(segments: readonly Segment[]): MissingSegment[] {
    const { projected, archives, pruned } = this.#known
    const known = { positions: projected.all(), pruned, accepted: new Set<string>() }
    return missingSegments(this.#options.directory, archives.refresh(), segments, known)
  }

  async #accept(missing: readonly MissingSegment[]): Promise<void> {
    const { directory, store, allowMissing = false, onAccepted } = this.#options
    const { accepted } = this.#known
    const unaccepted = missing.filter(({ name }) => !accepted.has(name))
    if (unaccepted.length > 0 && !allowMissing) throw missingSegmentsError(directory, unaccepted)
    // Nothing has changed: every missing segment is accepted, and there are as many missing
    // segments as accepted ones, so none has come back.
    if (unaccepted.length === 0 && missing.length === accepted.size) return
    const names = missing.map(({ name }) => name)
    await store.replaceAcceptedMissing(names)
    this.#known.accepted = new Set(names)
    if (unaccepted.length > 0) onAccepted?.(unaccepted)
  }

  #checkIsSameJournal(): void {
    const { directory, identity } = this.#options
    const found = readIdentity(directory)
    if (found.journal_id === identity.journal_id) return
    const text = `the directory holds the journal ${found.journal_id} now, not ${identity.journal_id}`
    throw new ProjectionError('OTHER_JOURNAL', directory, `${text}: put the right one back, then start again`)
  }
}

export interface JournalSegmentsOptions {
  directory: string
  identity: JournalIdentity
  store: Store
  /** Whether to go on, now and later, without segments that are missing. @default false */
  allowMissing?: boolean | undefined
  /** Called with the segments that are missing and accepted as such from now on. */
  onAccepted?: ((missing: readonly MissingSegment[]) => void) | undefined
}
