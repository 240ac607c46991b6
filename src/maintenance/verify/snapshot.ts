import { resolve } from 'node:path'
import type { Place } from '../../events/place.js'
import { countRowsToReprice } from '../../queries/costs/rows-to-reprice.js'
import { countAddedRows } from '../../queries/window/added-rows.js'
import type { SegmentPosition } from '../../store/positions.js'
import { DEFAULT_SCHEMA, isPostgresAddress } from '../../store/postgres/connection/address.js'
import { IDS_PER_JOURNAL } from '../../store/postgres/row-ids.js'
import type { PrunedSegments } from '../../store/pruned-segments.js'
import { type PendingCosts, pendingCosts } from '../../store/sqlite/compare/pending-costs.js'
import { prunedCompletionTest } from '../../store/sqlite/completion-rows.js'
import { type Database, openDatabaseReadOnly } from '../../store/sqlite/connection/database.js'
import { asDatabaseError, DatabaseError } from '../../store/sqlite/connection/errors.js'
import { checkVersions } from '../../store/sqlite/fold-versions.js'
import {
  acceptedMissing,
  hasPrunedLateLines,
  prunedSegments,
  readPositions,
} from '../../store/sqlite/segment-queries.js'
import type { DatabaseLocation } from '../database-location.js'
import { createExpected, seedExpected } from './expected-database.js'
import { copyOfJournal } from './postgres-copy.js'
import { convertToPostgresForm } from './postgres-form.js'

/**
 * The migration from which on overwritten completions are kept: an upgraded database has no earlier
 * ones.
 */
const KEEPS_SUPERSEDED = 20261127000000
const FIRST_WITH_JOURNAL = 20261122000000

/**
 * A database at one moment: everything is read in one transaction, and a projector may run
 * meanwhile. The rows that the journal gives are attached as `expected`, which is read after its
 * writer is closed.
 */
export class Snapshot {
  readonly path: string
  readonly database: Database
  readonly positions: ReadonlyMap<number, SegmentPosition>
  readonly rows: number
  /** Rows that never came from a journal. */
  readonly unjournaled: number
  /** Rows that other programs have added after the journal began: no sum includes them. */
  readonly added: number
  /** Segments whose rows are gone, and whose files may be gone. */
  readonly pruned: PrunedSegments
  /** The names of segments that are accepted as missing. */
  readonly accepted: ReadonlySet<string>
  /** Whether lines of pruned segments came late, and no replay has put the ids in order since. */
  readonly hasPrunedLateLines: boolean
  /** Whether a version that didn't keep overwritten completions has projected part of it. */
  readonly wasUpgraded: boolean
  /** Tests whether a completion belongs to a pruned request; null if none does. */
  readonly wasPruned: ((correlationId: string, place: Place) => boolean) | null
  /** Rows whose costs aren't final, because they wait to be repriced. */
  readonly toReprice: number
  /** The columns that aren't compared while such rows exist. */
  readonly pendingCosts: PendingCosts
  /** The id before the first one that the journal can have. */
  readonly lastIdBefore: number
  /** Whether it is a copy of what PostgreSQL has. */
  readonly isShared: boolean
  #writer: Database | null

  private constructor(path: string, database: Database, writer: Database, lastIdBefore: number) {
    this.path = path
    this.lastIdBefore = lastIdBefore
    this.isShared = isPostgresAddress(path)
    this.database = database
    this.#writer = writer
    database.exec('BEGIN')
    checkVersions(database, path)
    this.positions = new Map(readPositions(database).map((position) => [position.id, position]))
    this.rows = this.#count('main.requests')
    this.unjournaled = this.#count('main.requests WHERE segment_id IS NULL')
    this.added = countAddedRows(database)
    this.pruned = prunedSegments(database)
    this.accepted = acceptedMissing(database, 'main.missing_segments')
    this.hasPrunedLateLines = hasPrunedLateLines(database)
    const hasPruned = this.value('SELECT 1 FROM main.pruned_completion_places LIMIT 1') !== undefined
    this.wasPruned = hasPruned ? prunedCompletionTest(database) : null
    this.wasUpgraded = this.value(WAS_UPGRADED) === 1
    this.toReprice = countRowsToReprice(database)
    this.pendingCosts = pendingCosts(database)
    seedExpected(database, writer)
  }

  /**
   * Opens a snapshot of a file, or of one journal's rows in PostgreSQL. Those are copied, so that
   * the server doesn't have to keep the snapshot while the journal is read.
   *
   * @returns null if the file doesn't exist.
   * @throws DatabaseError if there is one that can't be read, or no room; PostgresError;
   *   ProjectionError PROJECTION_OUTDATED.
   */
  static async open(location: DatabaseLocation, journalId: string): Promise<Snapshot | null> {
    const { database: name, schema = DEFAULT_SCHEMA } = location
    if (isPostgresAddress(name)) {
      const { database, number } = await copyOfJournal(name, schema, journalId)
      return Snapshot.#of(name, database, number * IDS_PER_JOURNAL)
    }
    const path = resolve(name)
    try {
      return Snapshot.#of(path, openDatabaseReadOnly(path))
    } catch (error) {
      if (error instanceof DatabaseError && error.code === 'DATABASE_MISSING') return null
      throw asDatabaseError(error, path)
    }
  }

  static #of(path: string, database: Database, lastIdBefore = 0): Snapshot {
    let writer: Database | null = null
    try {
      writer = createExpected(database, path)
      return new Snapshot(path, database, writer, lastIdBefore)
    } catch (error) {
      writer?.close()
      database.close()
      throw error
    }
  }

  /** Whether ids and completions may differ from those of a replay, because lines came late. */
  get hasLateLines(): boolean {
    return this.hasPrunedLateLines || [...this.positions.values()].some(({ counts }) => counts.late > 0)
  }

  /** The connection that writes the expected database. */
  get writer(): Database {
    if (this.#writer === null) throw new Error('unreachable: the expected database is written once')
    return this.#writer
  }

  /** Closes the writer, after which `expected` can be read. */
  closeWriter(): void {
    if (this.isShared && this.#writer !== null) convertToPostgresForm(this.#writer)
    this.#writer?.close()
    this.#writer = null
  }

  /** How many rows come from this offset of a segment on, according to their places. */
  countRows(segmentId: number, fromOffset: number): number {
    return this.#count('main.requests WHERE segment_id = ? AND byte_offset >= ?', segmentId, fromOffset)
  }

  /** Whether the line at this place is kept as rejected. */
  hasRejected(segmentId: number, byteOffset: number): boolean {
    return (
      this.#count('main.rejected_lines WHERE segment_id = ? AND byte_offset = ?', segmentId, byteOffset) > 0
    )
  }

  /** The first column of the first row that a query finds; undefined if it finds none. */
  value(sql: string, ...values: unknown[]): number | undefined {
    const statement = this.database.prepare<unknown[], number>(sql).pluck()
    return statement.get(...values)
  }

  close(): void {
    this.#writer?.close()
    this.#writer = null
    this.database.close()
  }

  #count(from: string, ...values: number[]): number {
    return this.value(`SELECT count(*) FROM ${from}`, ...values) ?? 0
  }
}

/** Applied minutes apart: in a new database all migrations are applied at once. */
const WAS_UPGRADED = `SELECT EXISTS (
  SELECT 1 FROM main._sqlx_migrations first JOIN main._sqlx_migrations later
  WHERE first.version = ${FIRST_WITH_JOURNAL} AND later.version = ${KEEPS_SUPERSEDED}
    AND julianday(later.installed_on) - julianday(first.installed_on) > 1.0 / 24 / 60)`
