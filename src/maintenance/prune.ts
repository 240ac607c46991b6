import { existsSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type EntryOf, lastEntries, MANIFEST_FILE, ManifestFile } from '../journal/chain/manifest.js'
import { nodeFileSystem, syncDirectory } from '../journal/file-system.js'
import { readIdentity } from '../journal/journal-identity.js'
import {
  archiveFile,
  distrustMarker,
  listSegments,
  parseSegmentName,
  type Segment,
  segmentOf,
} from '../journal/segments.js'
import { checkJournal } from '../projection/segments/segment-check.js'
import { asStoreError, databaseName } from '../store/open-store.js'
import type { SegmentPosition } from '../store/positions.js'
import { isPrunedSql, type PrunedRows, type RowExtent, type RowPruner } from '../store/row-pruner.js'
import { acquireJournalLock } from '../store/sqlite/connection/lock.js'
import type { DatabaseLocation } from './database-location.js'
import type { KnownSegments } from './journal-tables.js'
import { type OffHostCopy, openOffHostCopies } from './off-host-copies.js'
import { openPruneTarget, type PruneTarget } from './prune-target.js'

export interface PruneOptions extends DatabaseLocation {
  /** The journal's directory. */
  journal: string
  /**
   * A date such as `2026-11-22`: segments of the UTC days before it are removed, imported ones by
   * the days of their requests.
   */
  before: string
  /**
   * Only say what would be done.
   * @default false
   */
  dryRun?: boolean | undefined
  /**
   * Whether the bytes of those days that PostgreSQL keeps are removed too. Without it a segment is
   * removed only if a copy off the host holds it; with it there may be no copy left.
   * @default false
   */
  chunks?: boolean | undefined
  /**
   * Where `ship` sends the journal: `s3://bucket/prefix`. Like PostgreSQL, it is a copy off this
   * host: a segment that it holds completely may be removed.
   */
  shippedTo?: string | undefined
}

/**
 * Why a segment of those days stays, together with its rows:
 *
 * - `not_archived`: run `archive` first.
 * - `not_projected`: the database doesn't have all of it.
 * - `not_held`: neither PostgreSQL nor an object store holds all of its bytes.
 * - `behind_another`: an older segment stays. Segments are removed oldest first, without a gap:
 *   otherwise a replay would give other ids to the rows between. In a file an imported segment may
 *   be removed by itself, unless a completion connects it with another segment.
 */
export type LeftReason = 'not_archived' | 'not_projected' | 'not_held' | 'behind_another'

/** What `prune` prints with `--json`. */
export interface PruneResult extends PrunedRows {
  dry_run: boolean
  /** The segments whose rows and files were removed, or would be. */
  segments: string[]
  left: { segment: string; reason: LeftReason }[]
  /** The size of the archives that were removed, or would be. */
  bytes: number
  /** The segment that a replay will begin with; null if none is left. */
  replays_from: string | null
}

/** The steps after which tests kill the process. */
export type PruneStep = 'marked' | 'batch' | 'rows' | 'recorded' | 'removed'

/**
 * Removes the oldest days from database and journal: first the rows, in small transactions, then
 * the archives. In PostgreSQL only the rows of this journal are removed. It can be killed at any
 * instant: until it is run again, segments that are half removed are neither projected nor
 * replayed.
 *
 * @throws TypeError if `before` isn't a date.
 * @throws DatabaseError PROJECTOR_RUNNING while a projector works on the database, or an archive
 *   run on the journal.
 * @throws DatabaseError ROWS_REFERRED_TO if a table of the user's refers to rows that would be
 *   removed.
 * @throws JournalError JOURNAL_MISSING, JOURNAL_INVALID if the manifest was changed;
 *   ProjectionError OTHER_JOURNAL.
 * @throws PostgresError PROJECTOR_RUNNING, …
 */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  return await pruneWith(options, () => {})
}

/** @internal The same with a call at each step, for tests. */
export async function pruneWith(
  options: PruneOptions,
  onStep: (step: PruneStep) => void,
): Promise<PruneResult> {
  const { journal, before, dryRun = false, chunks = false } = options
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(before) && !Number.isNaN(Date.parse(before))
  if (!isDay) throw new TypeError(`Option 'before' of prune: found ${before}, expected a date: 2026-11-22`)
  const directory = resolve(journal)
  const name = databaseName(options.database)
  const identity = readIdentity(directory)
  const target = await openPruneTarget(options, identity, dryRun)
  // Without a manifest nothing is archived, and no archive has to be removed.
  const isLocked = !dryRun && existsSync(join(directory, MANIFEST_FILE))
  let lock: { release(): void } | null = null
  let copies: OffHostCopy | null = null
  try {
    lock = isLocked ? acquireJournalLock(directory, 'prune') : null
    const known = target.tables.knownSegments()
    checkJournal(known.positions, identity, name)
    if (!chunks) copies = await openOffHostCopies(options, identity.journal_id)
    const run = new PruneRun(directory, before, known)
    const extent = await run.choose(target, copies)
    target.checkUnreferenced(extent)
    if (dryRun) return run.result(countRows(target, extent), true)
    const lastIdBefore = segmentOf(before, 0).id - 1
    const chunksThrough = chunks ? Math.min(extent.through, lastIdBefore) : 0
    const isNone = extent.through === 0 && extent.imports.length === 0
    const rows = isNone
      ? NO_ROWS
      : await removeRows(await target.pruner({ ...extent, chunksThrough }), onStep)
    run.removeFiles(onStep)
    await target.keepFiles(directory)
    return run.result(rows, false)
  } catch (error) {
    throw asStoreError(error, name)
  } finally {
    await copies?.close()
    await target.close()
    lock?.release()
  }
}

function countRows({ tables }: PruneTarget, extent: RowExtent): PrunedRows {
  const count = (table: string) => tables.count(table, isPrunedSql(extent))
  return { rows: count('requests'), rejected: count('rejected_lines'), held: count('held_completions') }
}

async function removeRows(pruner: RowPruner, onStep: (step: PruneStep) => void): Promise<PrunedRows> {
  await pruner.begin()
  onStep('marked')
  while (await pruner.removeBatch()) {
    onStep('batch')
    // Lets the process do other work in between, such as handling a signal.
    await setImmediate()
  }
  const rows = await pruner.finish()
  onStep('rows')
  return rows
}

const NO_ROWS: PrunedRows = { rows: 0, rejected: 0, held: 0 }

/** One run of prune: chooses which segments are removed and which stay, and removes their files. */
class PruneRun {
  /** What is removed: at first what an earlier prune, perhaps one that was killed, had chosen. */
  #extent: { through: number; imports: number[] }
  readonly #directory: string
  readonly #manifest: ManifestFile
  readonly #before: string
  readonly #pruned: ReadonlyMap<string, EntryOf<'pruned'>>
  readonly #archived: ReadonlyMap<string, EntryOf<'archived'>>
  readonly #sealed: ReadonlyMap<string, EntryOf<'sealed'>>
  readonly #known: KnownSegments
  readonly #segments: readonly Segment[]
  readonly #there: ReadonlyMap<number, Segment>
  readonly #positions: Map<number, SegmentPosition>
  readonly #left: PruneResult['left'] = []
  #bytes = 0

  constructor(directory: string, before: string, known: KnownSegments) {
    this.#directory = directory
    this.#manifest = new ManifestFile(directory)
    const manifest = this.#manifest.read()
    this.#archived = lastEntries(manifest, 'archived')
    this.#pruned = lastEntries(manifest, 'pruned')
    this.#sealed = lastEntries(manifest, 'sealed')
    this.#known = known
    this.#extent = { through: known.pruned.through, imports: [...known.pruned.imports] }
    this.#before = before
    this.#segments = listSegments(directory)
    this.#there = new Map(this.#segments.map((segment) => [segment.id, segment]))
    this.#positions = new Map(known.positions.map((position) => [position.id, position]))
  }

  /** Records each file before it is removed: one gone without an entry would count as lost. */
  removeFiles(onStep: (step: PruneStep) => void): void {
    for (const name of this.#lostNames()) this.#record(name)
    for (const segment of this.#files()) {
      this.#record(segment.name)
      onStep('recorded')
      rmSync(join(this.#directory, archiveFile(segment)), { force: true })
      rmSync(join(this.#directory, distrustMarker(segment)), { force: true })
      syncDirectory(nodeFileSystem, this.#directory)
      onStep('removed')
    }
  }

  result(rows: PrunedRows, isDryRun: boolean): PruneResult {
    const names = new Map(this.#files().map(({ id, name }) => [id, name]))
    for (const { id, name } of this.#positions.values()) if (this.#goes(id)) names.set(id, name)
    return {
      dry_run: isDryRun,
      ...rows,
      segments: [...names.values()].sort(),
      left: this.#left,
      bytes: this.#bytes,
      replays_from: this.#segments.find(({ id }) => !this.#goes(id))?.name ?? null,
    }
  }

  /**
   * Chooses the oldest segments, without a gap, and imported ones whose requests are old.
   *
   * @param copies null: segments needn't be held elsewhere.
   */
  async choose(target: PruneTarget, copies: OffHostCopy | null): Promise<RowExtent> {
    const all = new Map<number, string>()
    for (const { id, name } of [...this.#segments, ...this.#positions.values()]) all.set(id, name)
    let hasGap = false
    for (const [id, name] of [...all].sort(([a], [b]) => a - b)) {
      if (this.#known.pruned.has(id)) continue
      if (this.#lastDayOf(name) >= this.#before) {
        hasGap = true
        continue
      }
      const canGo: boolean = !hasGap || (this.#importedDayOf(name) !== null && target.mayPruneImport(id))
      const reason: LeftReason | null = canGo ? await this.#reasonToStay(id, name, copies) : 'behind_another'
      if (reason !== null) this.#left.push({ segment: name, reason })
      else if (hasGap) this.#extent.imports.push(id)
      else this.#extent.through = id
      hasGap ||= reason !== null
    }
    this.#extent.imports = this.#extent.imports.filter((id) => id > this.#extent.through)
    const sizes = this.#files().map((segment) => {
      return statSync(join(this.#directory, archiveFile(segment)), { throwIfNoEntry: false })?.size ?? 0
    })
    this.#bytes = sizes.reduce((sum, size) => sum + size, 0)
    return this.#extent
  }

  /** The last UTC day of the lines in a segment. */
  #lastDayOf(name: string): string {
    return this.#importedDayOf(name) ?? name.slice(0, 10)
  }

  /** The last day of the requests of an imported segment; null if it may have other lines too. */
  #importedDayOf(name: string): string | null {
    const sealed = this.#sealed.get(name)
    const isAsImported = this.#archived.get(name)?.bytes === sealed?.bytes
    return isAsImported ? (sealed?.import?.last.slice(0, 10) ?? null) : null
  }

  async #reasonToStay(id: number, name: string, copies: OffHostCopy | null): Promise<LeftReason | null> {
    const segment = this.#there.get(id)
    // Another database's prune has taken its files, or somebody has accepted that they are gone: its
    // rows may go too.
    if (segment === undefined && (this.#pruned.has(name) || this.#known.accepted.has(name))) return null
    const entry = this.#archived.get(name)
    if (segment?.state !== 'archived' || entry === undefined) return 'not_archived'
    if ((this.#positions.get(id)?.projectedBytes ?? 0) < entry.bytes) return 'not_projected'
    const isHeld = (await copies?.holds({ id, name, size: entry.bytes, recorded: entry })) ?? true
    return isHeld ? null : 'not_held'
  }

  #goes(id: number): boolean {
    return id <= this.#extent.through || this.#extent.imports.includes(id)
  }

  /**
   * The archives to remove. Among the segments of an earlier prune, only those that it hadn't
   * recorded when it was killed: the others were brought back by somebody who wants them.
   */
  #files(): Segment[] {
    return this.#segments.filter(({ id, name, state }) => {
      const isWanted = this.#lastDayOf(name) < this.#before || !this.#pruned.has(name)
      return this.#goes(id) && isWanted && state === 'archived'
    })
  }

  /** Names of segments that were gone already: once recorded, they don't count as missing. */
  #lostNames(): string[] {
    return [...this.#known.accepted].filter((name) => {
      const id = parseSegmentName(name)?.id ?? Number.POSITIVE_INFINITY
      const isKnown = this.#archived.has(name) || this.#sealed.has(name)
      return id <= this.#extent.through && isKnown && !this.#there.has(id)
    })
  }

  #record(name: string): void {
    const { bytes, lines, sha256 } = this.#archived.get(name) ?? this.#sealed.get(name) ?? NOT_RECORDED
    this.#manifest.append(
      (manifest) =>
        lastEntries(manifest, 'pruned').has(name)
          ? null
          : { kind: 'pruned', segment: name, bytes, lines, sha256 },
      Date.now(),
    )
  }
}

const NOT_RECORDED = { bytes: 0, lines: 0, sha256: '' }
