import type { PlacedCompletion } from '../events/place.js'
import type { Changes, Keys, Known } from '../folds/changes.js'
import type { PriceBook } from '../folds/costs/price-book.js'
import type { StoredRequest } from '../folds/stored-request.js'
import type { SumChanges } from '../folds/sums/sums.js'
import type { FileIdentity } from '../journal/file-identity.js'
import type { SegmentPosition } from './positions.js'
import type { PrunedSegments } from './pruned-segments.js'

/**
 * Keeps projections and positions. Only one process at a time holds a store, by means of a lock
 * that ends with the process, and that process runs one transaction at a time.
 *
 * Every implementation passes test/store/conformance.ts.
 */
export interface Store {
  /** The path or address, for messages. */
  readonly name: string
  /** How far each segment is projected, in the order of the segments. */
  positions(): Promise<SegmentPosition[]>
  /**
   * Records that a segment is in another file now: a faithful copy, or the same file under another
   * device number.
   */
  rememberFile(segmentId: number, file: FileIdentity): Promise<void>
  pruned(): Promise<PrunedSegments>
  /** The names of missing segments that somebody has accepted. */
  acceptedMissing(): Promise<Set<string>>
  /**
   * Replaces the names of the missing segments that somebody has accepted.
   *
   * @param names the segments that are missing now. One that has come back isn't among them, so it
   *   will be noticed if it goes again.
   */
  replaceAcceptedMissing(names: readonly string[]): Promise<void>
  /** The names of the labels that roll-ups are kept by, in order. */
  rollupLabels(): Promise<string[]>
  /**
   * Chooses the labels that roll-ups are kept by, which is possible while there are no requests.
   * Returns what `rollupLabels` returns then.
   *
   * @param asked the labels to choose; undefined keeps those that are stored.
   * @throws ProjectionError OTHER_ROLLUP_LABELS; RangeError for names that can't be labels.
   */
  chooseRollupLabels(asked: readonly string[] | undefined): Promise<string[]>
  /**
   * @throws ProjectionError PROJECTION_OUTDATED if another version of a fold has filled a
   *   projection.
   */
  checkVersions(): Promise<void>
  /**
   * @throws ProjectionError DATABASE_REMOVED, or DATABASE_AWAY while it may come back;
   *   PostgresError SERVER_AWAY.
   */
  checkIsThere(): Promise<void>
  /** Whether a bulk transaction is cheaper than usual ones for this many bytes of lines. */
  isWorthBulk(bytes: number, positions: Iterable<SegmentPosition>): Promise<boolean>
  /** Whether stored requests wait to be repriced. */
  hasRowsToReprice(): Promise<boolean>
  /**
   * Keeps a small file of the journal, such as its manifest, as it is on its host. A store that
   * doesn't keep the journal's bytes lacks this method.
   */
  keepFile?(file: JournalFile): Promise<void>
  /** Begins a transaction that keeps every other writer out. Many lines are cheaper in bulk. */
  begin(kind: 'usual' | 'bulk'): Promise<StoreTransaction>
  /**
   * Begins a transaction in which every projection is empty except the counters, which never fall.
   * It starts with the prices that were stored, so that a repriced request is folded at its final
   * price at once, and the counters don't count its correction twice. `dropUnreadPrices` drops
   * those that the journal no longer has. Call this only when no repricing is pending.
   */
  beginRebuild(options: RebuildOptions): Promise<RebuildTransaction>
  /** Releases the database. Once this has resolved, another process can hold it. */
  close(): Promise<void>
}

/** A file of a journal that isn't a segment. */
export interface JournalFile {
  name: string
  /** Its permissions. */
  mode: number
  bytes: Buffer
}

export interface RebuildOptions {
  /** The positions before the rebuild, under the names that segments have now. */
  before: readonly SegmentPosition[]
  /** The labels to keep roll-ups by; undefined keeps those that are stored. */
  rollupLabels: readonly string[] | undefined
  /** The UTC days of the segments that will be read, for which a store may prepare itself. */
  days?: readonly string[]
}

/**
 * Changes and positions that are committed together: all of them or none. The caller loads what a
 * batch's fold needs, folds, and applies the changes; what was applied is seen by the next load.
 */
export interface StoreTransaction {
  /**
   * Adds the row of a segment, to which the lines of its batches refer. Called once, before the
   * first of them.
   */
  addSegment(position: SegmentPosition): Promise<void>
  load(keys: Keys): Promise<Known>
  apply(changes: Changes): Promise<void>
  addSums(sums: SumChanges): Promise<void>
  /**
   * Yields the completions that were deferred, now that their requests can be looked up; the caller
   * folds and applies them. Called once, after the last batch.
   */
  deferred(): AsyncIterable<{ known: Known; completions: readonly PlacedCompletion[] }>
  /**
   * Drops the prices and exchange rates that were stored before and weren't read again, and marks
   * the requests that they may have priced as waiting to be repriced. Call it once, after
   * `deferred` and before `takeRowsToReprice`. Only a rebuild has this method.
   */
  dropUnreadPrices?(): Promise<void>
  /**
   * Reads the next stored requests whose cost may have changed, and moves past them; null when none
   * is left. The caller computes their costs and applies those that differ.
   */
  takeRowsToReprice(maxRows: number): Promise<RepricePage | null>
  /**
   * Keeps the next bytes of a segment, so that a host that loses its disk gets its journal back.
   * They may begin and end inside a line, but those of a transaction are whole lines. A store that
   * doesn't keep the journal's bytes lacks this method.
   */
  addBytes?(segmentId: number, byteOffset: number, bytes: Buffer): Promise<void>
  /**
   * Moves a segment's position.
   *
   * @returns false if the stored position isn't `expectedBytes`. Then another program has
   *   projected, and this transaction must be rolled back.
   */
  advance(expectedBytes: number, next: SegmentPosition): Promise<boolean>
  /** Makes everything durable and visible at once. */
  commit(): Promise<void>
  /** Leaves everything as it was. Does nothing after a commit. */
  rollback(): Promise<void>
}

/** Stored requests, and what their costs are computed from. */
export interface RepricePage {
  requests: readonly StoredRequest[]
  book: PriceBook
  /**
   * Whether the sums have yet to count which of the requests are retries. That is so only in the
   * first repricing of a database that was filled before roll-ups had `retries`. In that repricing
   * each row comes once.
   */
  countsRetries: boolean
}

export interface RebuildTransaction extends StoreTransaction {
  dropUnreadPrices(): Promise<void>
  readonly rollupLabels: readonly string[]
  /**
   * Yields the requests from before the journal. They stay, and the sums have to count them again.
   */
  unjournaledRequests(): AsyncIterable<readonly StoredRequest[]>
  replaceAcceptedMissing(names: readonly string[]): Promise<void>
  /**
   * Records permanently that a segment has lost lines in this rebuild. Call it once what is left of
   * the segment has been written.
   *
   * @throws ProjectionError SEGMENT_TRUNCATED, SEGMENT_REPLACED if the store holds the only copy of
   *   those lines, and would lose it.
   */
  addLost(segment: LostSegment): Promise<void>
}

/** A segment that has lost lines that were projected and are therefore in the counters. */
export interface LostSegment {
  name: string
  /**
   * Whether other bytes have taken the place of lines that were counted. Those bytes weren't
   * counted themselves.
   */
  isReplaced: boolean
}
