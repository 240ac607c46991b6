import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { endFragmentOf } from '../journal/append/segment-writer.js'
import { lastEntries, MANIFEST_FILE, ManifestFile } from '../journal/chain/manifest.js'
import { type SegmentDigest, SegmentDigester } from '../journal/chain/segment-digest.js'
import { errorCode, nodeFileSystem } from '../journal/file-system.js'
import { readIdentity } from '../journal/journal-identity.js'
import { archiveFile, listSegments, type Segment } from '../journal/segments.js'
import { checkJournal } from '../projection/segments/segment-check.js'
import { databaseName } from '../store/open-store.js'
import { acquireJournalLock } from '../store/sqlite/connection/lock.js'
import {
  type ArchiverOptions,
  beginArchive,
  finishArchive,
  isTemporary,
  readBack,
} from './archive-segment.js'
import { type DatabaseLocation, readFrom } from './database-location.js'
import { JournalTables } from './journal-tables.js'
import { openOffHostCopies } from './off-host-copies.js'

/** Writers look each second; the rest allows for a busy machine. */
const NOTICE_MS = 5000

export interface ArchiveOptions extends DatabaseLocation {
  /** The journal's directory. */
  journal: string
  /** The database that must have projected the segments before they are archived. */
  database: string
  /**
   * Only say what would be done.
   * @default false
   */
  dryRun?: boolean | undefined
  /**
   * Where `ship` sends the journal: `s3://bucket/prefix`. Like PostgreSQL, it is a copy off this
   * host: a segment that it holds completely may be archived.
   */
  shippedTo?: string | undefined
  /** Called before each segment. */
  onProgress?: ((progress: { segment: string; done: number; total: number }) => void) | undefined
}

/**
 * Why a segment stays as it is:
 *
 * - `newest`: writers append to it, or may.
 * - `not_sealed`: its day isn't over for ten minutes, or no projector has sealed it yet.
 * - `not_projected`: the database doesn't have all of it.
 * - `not_held`: neither PostgreSQL nor an object store holds all of its bytes.
 * - `altered`: its beginning isn't what was sealed, or what its archive holds; see `verify`.
 * - `still_written`: a writer keeps appending to it; the next run continues.
 */
export type SkipReason = 'newest' | 'not_sealed' | 'not_projected' | 'not_held' | 'altered' | 'still_written'

/** What `archive` prints with `--json`. */
export interface ArchiveResult {
  dry_run: boolean
  archived: { segment: string; bytes: number; archive_bytes: number | null }[]
  skipped: { segment: string; reason: SkipReason }[]
  /** The size of the segments that were archived, before and after. */
  bytes_before: number
  /** Null with `dryRun`. */
  bytes_after: number | null
}

type ArchivePorts = Pick<ArchiverOptions, 'noticeMs' | 'onStep'>

/**
 * Compresses segments that are sealed and fully projected. Writers and a projector may run
 * meanwhile. It can be killed at any instant: the next run continues what was begun.
 *
 * @throws JournalError JOURNAL_MISSING, JOURNAL_INVALID if the manifest was changed; DatabaseError
 *   DATABASE_MISSING, or PROJECTOR_RUNNING while another archive or prune works on this journal;
 *   ProjectionError OTHER_JOURNAL.
 */
export async function archive(options: ArchiveOptions): Promise<ArchiveResult> {
  return await archiveWith(options, { noticeMs: NOTICE_MS, onStep() {} })
}

/** @internal The same with another time for writers to notice, and a call at each step. */
export async function archiveWith(options: ArchiveOptions, ports: ArchivePorts): Promise<ArchiveResult> {
  const run = new ArchiveRun(options, ports)
  if (options.dryRun === true) return await run.plan()
  // Without a manifest nothing is sealed, and there is nothing to lock.
  const hasManifest = existsSync(join(run.directory, MANIFEST_FILE))
  const lock = hasManifest ? acquireJournalLock(run.directory, 'archive') : null
  try {
    return await run.archive()
  } finally {
    lock?.release()
  }
}

interface Candidate {
  segment: Segment
  size: number
  /**
   * What its first bytes must be: what was sealed or, if there is an archive that is about to be
   * replaced, all that it holds.
   */
  beginning: SegmentDigest
}

class ArchiveRun {
  readonly directory: string
  readonly #options: ArchiveOptions
  readonly #journalId: string
  readonly #archiver: ArchiverOptions
  readonly #positions: Map<number, number>
  readonly #skipped: ArchiveResult['skipped'] = []
  readonly #archived: ArchiveResult['archived'] = []

  constructor(options: ArchiveOptions, ports: ArchivePorts) {
    this.directory = resolve(options.journal)
    this.#options = options
    const identity = readIdentity(this.directory)
    this.#journalId = identity.journal_id
    const { positions } = readFrom(options, (database) =>
      new JournalTables(database, identity.journal_id).knownSegments(),
    )
    checkJournal(positions, identity, databaseName(options.database))
    this.#positions = new Map(positions.map(({ id, projectedBytes }) => [id, projectedBytes]))
    this.#archiver = { directory: this.directory, manifest: new ManifestFile(this.directory), ...ports }
  }

  async plan(): Promise<ArchiveResult> {
    for (const { segment, size } of await this.#candidates()) this.#add(segment, size, null)
    return this.#result()
  }

  /** Archives all candidates. While renamed segments wait for writers, the next are compressed. */
  async archive(): Promise<ArchiveResult> {
    const files = readdirSync(this.directory).filter(isTemporary)
    for (const file of files) rmSync(join(this.directory, file))
    const leaving = listSegments(this.directory)
      .filter(({ state }) => state === 'leaving')
      .map((segment) => ({ segment, dueAt: performance.now() + this.#archiver.noticeMs }))
    const candidates = await this.#candidates()
    const total = candidates.length
    for (const [done, candidate] of candidates.entries()) {
      const { segment, size, beginning } = candidate
      this.#options.onProgress?.({ segment: segment.name, done, total })
      if (await beginArchive(this.#archiver, segment, size, beginning)) {
        leaving.push({ segment, dueAt: performance.now() + this.#archiver.noticeMs })
      } else this.#skip(segment, 'altered')
      while (leaving[0] !== undefined && leaving[0].dueAt <= performance.now()) {
        await this.#finish(leaving[0].segment)
        leaving.shift()
      }
    }
    for (const { segment, dueAt } of leaving) {
      await delay(Math.max(0, dueAt - performance.now()))
      await this.#finish(segment)
    }
    return this.#result()
  }

  async #finish(segment: Segment): Promise<void> {
    const manifest = this.#archiver.manifest.read()
    const sealed = lastEntries(manifest, 'sealed').get(segment.name)
    const known = lastEntries(manifest, 'archived').get(segment.name) ?? null
    // If nothing is recorded of it, it begins with no bytes, as every segment does.
    const start = known ?? sealed ?? new SegmentDigester().digest()
    const result = await finishArchive(this.#archiver, segment, known, start)
    if (typeof result === 'string') this.#skip(segment, result)
    else this.#add(segment, result.bytes, result.archive_bytes)
  }

  async #candidates(): Promise<Candidate[]> {
    const found = await this.#finished()
    const copies = await openOffHostCopies(this.#options, this.#journalId)
    try {
      const held: Candidate[] = []
      for (const candidate of found) {
        const { segment, size, beginning } = candidate
        const isHeld = (await copies?.holds({ ...segment, size, recorded: beginning })) ?? true
        if (isHeld) held.push(candidate)
        else this.#skip(segment, 'not_held')
      }
      return held
    } finally {
      await copies?.close()
    }
  }

  /** The segments that are sealed and projected to their end. */
  async #finished(): Promise<Candidate[]> {
    const manifest = this.#archiver.manifest.read()
    const [sealed, archived] = [lastEntries(manifest, 'sealed'), lastEntries(manifest, 'archived')]
    const segments = listSegments(this.directory)
    const newest = segments.at(-1)
    const candidates: Candidate[] = []
    for (const segment of segments.filter(({ state }) => state === 'plain')) {
      const recorded = sealed.get(segment.name)
      const path = join(this.directory, segment.name)
      const size = statSync(path).size
      if (segment === newest) this.#skip(segment, 'newest')
      else if (recorded === undefined) this.#skip(segment, 'not_sealed')
      else if (size !== (this.#positions.get(segment.id) ?? 0)) {
        this.#skip(segment, 'not_projected')
        // Once its last line is ended it can be projected, and the next run takes it. Nobody else
        // would end it.
        if (this.#options.dryRun !== true) endFragmentOf(nodeFileSystem, this.directory, segment)
      } else {
        const held = await this.#heldBesides(segment, recorded, archived.get(segment.name))
        const beginning = held === null || held.bytes > recorded.bytes ? held : recorded
        if (beginning === null || size < beginning.bytes) this.#skip(segment, 'altered')
        else candidates.push({ segment, size, beginning })
      }
    }
    return candidates
  }

  /**
   * Returns what the archive beside a plain file holds: if there is none, no more than what was
   * sealed. There is one if a run was killed, if somebody has put an older plain file back, or if
   * somebody has compressed the file.
   *
   * @param archived what the manifest says that it holds.
   * @returns null if the archive is damaged, and no manifest says what it held.
   */
  async #heldBesides(
    segment: Segment,
    sealed: SegmentDigest,
    archived: SegmentDigest | undefined,
  ): Promise<SegmentDigest | null> {
    const path = join(this.directory, archiveFile(segment))
    if (!existsSync(path)) return sealed
    try {
      return await readBack(path)
    } catch (error) {
      // The codes of zlib say that the archive is damaged; after other errors it may still be whole.
      if (errorCode(error)?.startsWith('Z_') !== true) throw error
      return archived ?? null
    }
  }

  #add({ name }: Segment, bytes: number, archive_bytes: number | null): void {
    this.#archived.push({ segment: name, bytes, archive_bytes })
  }

  #skip({ name }: Segment, reason: SkipReason): void {
    this.#skipped.push({ segment: name, reason })
  }

  #result(): ArchiveResult {
    const { dryRun = false } = this.#options
    const sum = (sizes: number[]) => sizes.reduce((total, size) => total + size, 0)
    return {
      dry_run: dryRun,
      archived: this.#archived.sort(bySegment),
      skipped: this.#skipped.sort(bySegment),
      bytes_before: sum(this.#archived.map(({ bytes }) => bytes)),
      bytes_after: dryRun ? null : sum(this.#archived.map(({ archive_bytes }) => archive_bytes ?? 0)),
    }
  }
}

/** Names sort as segments do. */
function bySegment(a: { segment: string }, b: { segment: string }): number {
  return a.segment < b.segment ? -1 : 1
}
