import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Place } from '../events/place.js'
import { Sums } from '../folds/sums/sums.js'
import { type EntryOf, lastEntries, readManifest } from '../journal/chain/manifest.js'
import { fileIdentity } from '../journal/file-identity.js'
import { type JournalIdentity, readIdentity } from '../journal/journal-identity.js'
import { openSegment } from '../journal/read/open-segment.js'
import { SegmentDecoder } from '../journal/read/segment-decoder.js'
import { archiveFile, listSegments, plainSize, type Segment } from '../journal/segments.js'
import { asStoreError, databaseName, openStore } from '../store/open-store.js'
import type { RebuildTransaction } from '../store/port.js'
import {
  addCounts,
  emptyCounts,
  emptyPosition,
  type SegmentCounts,
  type SegmentPosition,
} from '../store/positions.js'
import { isPostgresAddress } from '../store/postgres/connection/address.js'
import type { PrunedSegments } from '../store/pruned-segments.js'
import { checkRollupLabels } from '../store/rollup-labels.js'
import type { TableDifference } from '../store/sqlite/compare/databases.js'
import { BatchWriter } from './batch-writer.js'
import { type ProjectResult, projectResult } from './projector.js'
import { checkAllThere, checkSame, followRenames } from './replay-checks.js'
import { replayInto } from './replay-into.js'
import { repriceAll } from './repricing.js'
import { type KnownSegments, missingSegments, missingSegmentsError } from './segments/missing-segments.js'
import { segmentsBeforeNewImport } from './segments/new-imports.js'
import { checkJournal, checkSealed } from './segments/segment-check.js'
import { SmallFileCopies } from './small-file-copies.js'

/** How far a replay has got. */
export interface ReplayProgress {
  /** How many bytes of the journal have been read. */
  bytes: number
  /** How many bytes the journal had when the replay began. */
  total_bytes: number
  /** How many requests and completions have been folded. */
  events: number
}

export interface ReplayOptions {
  /** The journal's directory. */
  journal: string
  /**
   * The database file, created if it doesn't exist; or a `postgres://` address, where the rows of
   * other journals stay untouched.
   */
  database: string
  /** The schema of the tables in PostgreSQL. @default 'request_journal' */
  schema?: string | undefined
  /**
   * A new path for the rebuilt database. The old one stays as it is, and its projector may go on.
   * @default the database itself is rebuilt
   */
  into?: string | undefined
  /**
   * Whether to return how the rebuilt database differs from the old one; needs `into`. Rows of
   * lines that haven't been projected into the old one yet count as differences too.
   * @default false
   */
  diff?: boolean | undefined
  /** Called after each batch, and at the end. */
  onProgress?: ((progress: ReplayProgress) => void) | undefined
  /**
   * Whether to rebuild although segments, or parts of them, that were projected, sealed or archived
   * are missing. Their rows are lost, and later runs accept that they are missing.
   * @default false
   */
  allowMissing?: boolean | undefined
  /** Whether PostgreSQL keeps the journal's bytes, and writes them again. @default true */
  chunks?: boolean | undefined
  /**
   * The names of the labels to keep roll-ups by from now on, at most eight.
   * @default those of the database, at first `tier`
   */
  rollupLabels?: readonly string[] | undefined
}

export interface ReplayResult extends ProjectResult {
  /** How the tables of the rebuilt database differ from those of the old one; only with `diff`. */
  differences?: TableDifference[]
}

/**
 * Rebuilds every projection from the first line, in one transaction: readers keep the old view
 * until it commits, and a kill leaves the old database whole. Rows that never came from a journal
 * keep their ids, and no trigger fires.
 *
 * @throws JournalError JOURNAL_MISSING; DatabaseError or PostgresError PROJECTOR_RUNNING while a
 *   projector is running.
 * @throws DatabaseError ROWS_REFERRED_TO if a table of the operator's refers to a request that
 *   would be gone or have another id.
 * @throws ProjectionError OTHER_JOURNAL; SEGMENT_SYNC_FAILED; SEGMENT_MISSING, and
 *   SEGMENT_TRUNCATED and SEGMENT_REPLACED, unless `allowMissing`. If PostgreSQL keeps the bytes of
 *   the journal, the last two in any case: if bytes that may exist only there would be lost, or if
 *   the bytes change while they are being read. OTHER_ROLLUP_LABELS if `rollupLabels` differ from
 *   the labels of the PostgreSQL schema, and other journals in it have requests.
 * @throws DatabaseError DATABASE_UNWRITABLE if there is a file at `into`, or too little room for
 *   another database.
 * @throws TypeError for `diff` without `into`, and for `into` with a PostgreSQL database.
 * @throws RangeError for an empty name in `rollupLabels`, or more than eight names.
 */
export async function replay({ into, diff = false, ...options }: ReplayOptions): Promise<ReplayResult> {
  if (into === undefined) {
    if (diff)
      throw new TypeError("Option 'diff' of replay: found no 'into', expected the path of a new database")
    return await rebuildDatabase(options)
  }
  const { database } = options
  if (isPostgresAddress(database)) {
    throw new TypeError(
      "Option 'into' of replay: expected a database that is a file; to compare a PostgreSQL database with the journal, use `verify`",
    )
  }
  return await replayInto({ database, into, isCompared: diff }, (path) =>
    rebuildDatabase({ ...options, database: path }),
  )
}

async function rebuildDatabase(options: Omit<ReplayOptions, 'into' | 'diff'>): Promise<ProjectResult> {
  const startedAt = performance.now()
  const directory = resolve(options.journal)
  const database = databaseName(options.database)
  const identity = readIdentity(directory)
  const { schema, chunks } = options
  const store = await openStore(database, {
    purpose: 'replay',
    journalId: identity.journal_id,
    schema,
    chunks,
  })
  try {
    const before = followRenames(directory, await store.positions(), Date.now())
    checkJournal(before, identity, database)
    const { onProgress, allowMissing = false } = options
    const pruned = await store.pruned()
    if (!allowMissing) {
      checkNothingIsMissing(directory, { positions: before, pruned, accepted: await store.acceptedMissing() })
    }
    const rollupLabels =
      options.rollupLabels === undefined ? undefined : checkRollupLabels(options.rollupLabels)
    // Finishes pending repricing first, because the counters must count each request with the cost
    // that its row has.
    await repriceAll(store)
    const segments = listSegments(directory).filter(({ id }) => !pruned.has(id))
    const days = segments.map(({ day }) => day)
    const transaction = await store.beginRebuild({ before, rollupLabels, days })
    const context = { directory, identity, onProgress, allowMissing, before, pruned }
    const counts = await new Rebuild(transaction, context).run()
    await new SmallFileCopies(directory).keep(store)
    return projectResult(counts, startedAt)
  } catch (error) {
    throw asStoreError(error, database)
  } finally {
    await store.close()
  }
}

function checkNothingIsMissing(
  directory: string,
  known: KnownSegments & { positions: readonly SegmentPosition[] },
): void {
  const positions = known.positions.filter(({ id }) => !known.pruned.has(id))
  checkAllThere(positions, directory)
  const missing = missingSegments(directory, readManifest(directory), listSegments(directory), known)
  if (missing.length > 0) throw missingSegmentsError(directory, missing)
}

interface RebuildContext {
  directory: string
  identity: JournalIdentity
  onProgress: ReplayOptions['onProgress']
  allowMissing: boolean
  /** The positions before the replay. */
  before: readonly SegmentPosition[]
  pruned: PrunedSegments
}

/** One replay, which reads every segment into one transaction. */
class Rebuild {
  readonly #transaction: RebuildTransaction
  readonly #context: RebuildContext
  readonly #before: ReadonlyMap<number, SegmentPosition>
  readonly #segments: readonly Segment[]
  readonly #archives: ReadonlyMap<string, EntryOf<'archived'>>
  readonly #sealed: ReadonlyMap<string, EntryOf<'sealed'>>
  readonly #progress: ReplayProgress

  constructor(transaction: RebuildTransaction, context: RebuildContext) {
    const { directory, before, pruned } = context
    this.#transaction = transaction
    this.#context = context
    this.#before = new Map(before.map((position) => [position.id, position]))
    const segments = listSegments(directory).filter(({ id }) => !pruned.has(id))
    const manifest = readManifest(directory)
    this.#archives = lastEntries(manifest, 'archived')
    this.#sealed = lastEntries(manifest, 'sealed')
    this.#segments = segmentsBeforeNewImport(directory, segments, {
      isProjected: ({ id }) => this.#before.has(id),
      isRecorded: ({ name }) => this.#archives.has(name),
    })
    this.#progress = { bytes: 0, total_bytes: this.#totalBytes(), events: 0 }
  }

  /** Returns what was projected, once it is committed. */
  async run(): Promise<SegmentCounts> {
    const transaction = this.#transaction
    try {
      const sums = new Sums(transaction.rollupLabels, (place) => this.#isNew(place))
      for await (const requests of transaction.unjournaledRequests()) {
        for (const request of requests) sums.addUnjournaled(request)
      }
      const maxBytes = Number.POSITIVE_INFINITY
      const writer = new BatchWriter({ transaction, sums, isBulk: true, repricesAll: true, maxBytes })
      for (const segment of this.#segments) await this.#write(writer, segment)
      await this.#acceptMissing()
      const segments = await writer.commit()
      this.#context.onProgress?.({ ...this.#progress })
      return segments.reduce((total, { counts }) => addCounts(total, counts), emptyCounts())
    } catch (error) {
      await transaction.rollback()
      throw error
    }
  }

  async #write(writer: BatchWriter, segment: Segment): Promise<void> {
    const { directory, identity, onProgress, allowMissing } = this.#context
    const { name } = segment
    const before = this.#before.get(segment.id)
    const source = openSegment(directory, segment, { chunkBytes: CHUNK_BYTES })
    try {
      // Lines that were projected are compared with their position once they have been read.
      if (!allowMissing) {
        const recorded = { sealed: this.#sealed.get(name), archived: this.#archives.has(name) }
        await checkSealed(source, recorded, before?.projectedBytes ?? 0)
      }
      const decoder = new SegmentDecoder(source, {
        journalId: identity.journal_id,
        prefixBytes: before?.projectedBytes ?? 0,
        hashesArchive: !allowMissing,
        ...(source.isArchive ? {} : { endOffset: Number(source.stats.size) }),
      })
      const file = fileIdentity(source.stats)
      await writer.writeSegment(decoder, emptyPosition(segment.id, name, identity.journal_id, file), {
        onBatch: ({ bytes, counts }) => {
          this.#progress.bytes += bytes
          this.#progress.events += counts.requests + counts.completions
          onProgress?.({ ...this.#progress })
        },
      })
      if (!allowMissing) checkSame(decoder, this.#archives.get(name), before)
      else if (before !== undefined) await this.#noteLost(before, decoder)
    } finally {
      source.close()
    }
  }

  /**
   * Records that a segment no longer holds all the lines that the counters count, so that `verify`
   * knows.
   */
  async #noteLost(
    { name, projectedBytes, projectedCrc32 }: SegmentPosition,
    decoder?: SegmentDecoder,
  ): Promise<void> {
    const isShorter = decoder === undefined || decoder.source.position < projectedBytes
    if (!isShorter && decoder.prefixCrc32 === projectedCrc32) return
    await this.#transaction.addLost({ name, isReplaced: !isShorter })
  }

  /** Records the missing segments, so that the next projector and replay accept them too. */
  async #acceptMissing(): Promise<void> {
    const { directory, allowMissing, pruned } = this.#context
    if (!allowMissing) return
    const there = new Set(this.#segments.map(({ id }) => id))
    for (const [id, position] of this.#before) {
      if (!pruned.has(id) && !there.has(id)) await this.#noteLost(position)
    }
    const known = { positions: [], pruned, accepted: new Set<string>() }
    const missing = missingSegments(directory, readManifest(directory), this.#segments, known)
    await this.#transaction.replaceAcceptedMissing(missing.map(({ name }) => name))
  }

  #totalBytes(): number {
    const { directory } = this.#context
    const sizes = this.#segments.map((segment) => {
      const known = plainSize(directory, segment) ?? this.#archives.get(segment.name)?.bytes
      // The compressed size of an archive that no manifest records is better than nothing.
      return known ?? statSync(join(directory, archiveFile(segment)), { throwIfNoEntry: false })?.size ?? 0
    })
    return sizes.reduce((sum, size) => sum + size, 0)
  }

  /** Whether a line is projected for the first time, so that the counters don't include it yet. */
  #isNew({ segmentId, byteOffset }: Place): boolean {
    if (this.#context.pruned.has(segmentId)) return false
    return byteOffset >= (this.#before.get(segmentId)?.projectedBytes ?? 0)
  }
}

/**
 * How many bytes are read at a time. It is large because nothing else needs the event loop here.
 */
const CHUNK_BYTES = 256 * 1024
