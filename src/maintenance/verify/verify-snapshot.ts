import type { Place, PlacedCompletion } from '../../events/placed.js'
import { MAX_SHARED_ROWS } from '../../folds/completions.js'
import { countAddedRows } from '../../queries/window/added-rows.js'
import type { SegmentPosition } from '../../store/positions.js'
import { type Database, openDatabaseReadOnly } from '../../store/sqlite/connection/database.js'
import { asDatabaseError, DatabaseError } from '../../store/sqlite/connection/errors.js'
import { readPositions } from '../../store/sqlite/positions.js'
import {
  carriedCompletions,
  hasPrunedLateLines,
  prunedCompletionTest,
  prunedThrough,
} from '../../store/sqlite/pruned.js'
import { rebuiltIds } from '../../store/sqlite/replay-tables.js'
import { checkVersions } from '../../store/sqlite/versions.js'
import { PlaceCursor, type Placed } from './place-cursor.js'
import type { ProblemList } from './verify-problems.js'
import { compareRollups } from './verify-rollups.js'

/** A row of `requests` as it is stored. */
export interface RequestRow extends Record<string, unknown> {
  id: number
  correlation_id: string
  policy: string | null
  input_tokens: number | null
  output_tokens: number | null
  success: number
  segment_id: number | null
  byte_offset: number | null
  completed_segment_id: number | null
  completed_byte_offset: number | null
}

/** What tells whether a completion changes a row. */
export type CompletableRow = Pick<RequestRow, 'id' | 'completed_segment_id' | 'completed_byte_offset'> & {
  attempt: number | null
  streaming: number
}

/** A row's id at the place of its line, or of its completion's. */
export interface PlacedRow extends Placed {
  id: number
}

export interface HeldRow extends Placed, Record<string, unknown> {
  correlation_id: string
}

export interface RejectedRow extends Placed, Record<string, unknown> {
  length: number
  reason: string
  excerpt: string
}

export interface RatioRow extends Record<string, unknown> {
  policy: string
  /** Null: no row in token_ratio_sums. */
  ratio_millionths: bigint | null
  samples: bigint | null
  /** Null: no row in token_ratios. */
  avg_ratio: number | null
  sample_count: bigint | null
}

// Only ids and places are sorted, outside memory where they are many; rows are fetched by id. By place and not by id,
// because a late line, or a row that somebody inserted, stands elsewhere in that order.
const ROWS = `SELECT id, segment_id, byte_offset FROM requests
  WHERE typeof(segment_id) = 'integer' AND typeof(byte_offset) = 'integer' ORDER BY segment_id, byte_offset, id`
const COMPLETED_ROWS = `SELECT id, completed_segment_id AS segment_id, completed_byte_offset AS byte_offset FROM requests
  WHERE typeof(completed_segment_id) = 'integer' AND typeof(completed_byte_offset) = 'integer'
  ORDER BY completed_segment_id, completed_byte_offset, id`
/** Written by no projector: half a place, or one that is no number. */
const MISPLACED_ROWS = `SELECT id, segment_id, byte_offset FROM requests
  WHERE segment_id IS NOT NULL AND NOT (typeof(segment_id) = 'integer' AND typeof(byte_offset) = 'integer')
    OR completed_segment_id IS NOT NULL
      AND NOT (typeof(completed_segment_id) = 'integer' AND typeof(completed_byte_offset) = 'integer')`
const RATIOS = `SELECT policy, ratio_millionths, sums.sample_count AS samples, avg_ratio, means.sample_count AS sample_count
  FROM token_ratio_sums AS sums FULL JOIN token_ratios AS means USING (policy)`

/** A database at one moment: everything is read in one transaction, while a projector may go on. */
export class Snapshot {
  readonly path: string
  readonly positions: ReadonlyMap<number, SegmentPosition>
  /** Rows that never came from a journal. */
  readonly unjournaled: number
  /** Those of them that other programs have added after the journal began: no sum has them. */
  readonly added: number
  /** Segments up to this one were pruned: their rows are gone, and their files may be. */
  readonly prunedThrough: number
  /** Whether a completion changed a request that was pruned. */
  readonly wasPruned: (correlationId: string, place: Place) => boolean
  readonly rows: PlaceCursor<PlacedRow>
  readonly completedRows: PlaceCursor<PlacedRow>
  readonly held: PlaceCursor<HeldRow>
  /** Late lines were projected: ids aren't in the order of places, and completions may have met other rows. */
  readonly hasLateLines: boolean
  readonly rejected: PlaceCursor<RejectedRow>
  readonly #database: Database
  readonly #statements: ReturnType<typeof prepareStatements>

  constructor(database: Database, path: string) {
    this.#database = database
    this.path = path
    checkVersions(database, path)
    this.positions = new Map(readPositions(database).map((position) => [position.id, position]))
    this.unjournaled =
      database.prepare<[], { n: number }>('SELECT count(*) AS n FROM requests WHERE segment_id IS NULL').get()
        ?.n ?? 0
    this.added = countAddedRows(database)
    this.prunedThrough = prunedThrough(database)
    this.wasPruned = prunedCompletionTest(database)
    this.hasLateLines =
      hasPrunedLateLines(database) || [...this.positions.values()].some(({ counts }) => counts.late > 0)
    this.#statements = prepareStatements(database)
    const { rows, completedRows, held, rejected } = this.#statements
    this.rows = new PlaceCursor(rows.iterate())
    this.completedRows = new PlaceCursor(completedRows.iterate())
    this.held = new PlaceCursor(held.iterate())
    this.rejected = new PlaceCursor(rejected.iterate())
  }

  row(id: number): RequestRow {
    const row = this.#statements.row.get(id)
    if (row === undefined) throw new Error('unreachable: one transaction sees one table')
    return row
  }

  /** The ids that rows have in the order of their lines, unless lines came late. */
  *ids(): Generator<number, never> {
    const { nextId, takenIds } = rebuiltIds(this.#database)
    for (let id = nextId; ; id++) if (!takenIds.has(id)) yield id
  }

  /** Sums that were there before the journal, and count on. */
  unjournaledRatios(): { policy: string; ratio_millionths: bigint; sample_count: bigint }[] {
    return this.#database
      .prepare<[], { policy: string; ratio_millionths: bigint; sample_count: bigint }>(
        'SELECT * FROM unjournaled_token_ratios',
      )
      .safeIntegers()
      .all()
  }

  /** Whether the journal gave a row that this completion should have found. */
  hasRequest({ correlation_id, attempt = null }: PlacedCompletion['completion']): boolean {
    return this.#statements.request.get(correlation_id, attempt, attempt) !== undefined
  }

  /** The newest rows before an id that a completion with this correlation_id may change, the newest first. */
  newestRows(correlationId: string, nextId: number): IterableIterator<CompletableRow> {
    return this.#statements.newest.iterate(correlationId, nextId)
  }

  /** The first request from that id on that a completion may have waited for. */
  firstRowAfter(
    { correlation_id, attempt = null }: PlacedCompletion['completion'],
    nextId: number,
  ): CompletableRow | undefined {
    return this.#statements.firstAfter.get(correlation_id, nextId, attempt, attempt)
  }

  /** The row that a completion changed before a later one did; undefined where that isn't known. */
  rowOfSuperseded({ segmentId, byteOffset }: Place): RequestRow | undefined {
    return this.#statements.superseded.get(segmentId, byteOffset)
  }

  /** The rows with this correlation_id that have been completed, the newest first. */
  completedRowsOf(correlationId: string): IterableIterator<RequestRow> {
    return this.#statements.completed.iterate(correlationId)
  }

  /** Lines of this segment were projected after lines of a newer one. */
  hasLateLinesOf(segmentId: number): boolean {
    return (this.positions.get(segmentId)?.counts.late ?? 0) > 0
  }

  /** What pruned completions left on rows that are still there, by place. */
  carriedCompletions(): PlacedCompletion[] {
    return carriedCompletions(this.#database)
  }

  misplacedRows(): IterableIterator<{ id: number; segment_id: unknown; byte_offset: unknown }> {
    return this.#statements.misplaced.iterate()
  }

  ratios(): RatioRow[] {
    return this.#database.prepare<[], RatioRow>(RATIOS).safeIntegers().all()
  }

  /** Roll-ups against the rows that they are sums of. */
  compareRollups(problems: ProblemList): void {
    compareRollups(this.#database, problems)
  }

  close(): void {
    for (const cursor of [this.rows, this.completedRows, this.held, this.rejected]) cursor.close()
    this.#database.close()
  }
}

/**
 * Opens the snapshot, or gives null where there is no database.
 *
 * @throws DatabaseError when there is one that can't be read; ProjectionError PROJECTION_OUTDATED.
 */
export function openSnapshot(path: string): Snapshot | null {
  let database: Database
  try {
    database = openDatabaseReadOnly(path)
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'DATABASE_MISSING') return null
    throw error
  }
  try {
    database.exec('BEGIN')
    return new Snapshot(database, path)
  } catch (error) {
    database.close()
    throw asDatabaseError(error, path)
  }
}

const COMPLETABLE = 'id, attempt, streaming, completed_segment_id, completed_byte_offset'

/** All of them before the first is read: a table that is missing is found while the database can still be closed. */
function prepareStatements(database: Database) {
  return {
    rows: database.prepare<[], PlacedRow>(ROWS),
    completedRows: database.prepare<[], PlacedRow>(COMPLETED_ROWS),
    held: database.prepare<[], HeldRow>('SELECT * FROM held_completions ORDER BY segment_id, byte_offset'),
    rejected: database.prepare<[], RejectedRow>(
      'SELECT * FROM rejected_lines ORDER BY segment_id, byte_offset',
    ),
    row: database.prepare<[number], RequestRow>('SELECT * FROM requests WHERE id = ?'),
    request: database.prepare<[string, number | null, number | null]>(
      `SELECT 1 FROM requests WHERE correlation_id = ? AND segment_id IS NOT NULL AND (? IS NULL OR attempt = ?) LIMIT 1`,
    ),
    completed: database.prepare<[string], RequestRow>(
      `SELECT * FROM requests WHERE correlation_id = ? AND completed_segment_id IS NOT NULL ORDER BY id DESC`,
    ),
    misplaced: database.prepare<[], { id: number; segment_id: unknown; byte_offset: unknown }>(
      MISPLACED_ROWS,
    ),
    newest: database.prepare<[string, number], CompletableRow>(
      `SELECT ${COMPLETABLE} FROM requests WHERE correlation_id = ? AND id < ? ORDER BY id DESC LIMIT ${MAX_SHARED_ROWS}`,
    ),
    firstAfter: database.prepare<[string, number, number | null, number | null], CompletableRow>(
      `SELECT ${COMPLETABLE} FROM requests
       WHERE correlation_id = ? AND id >= ? AND segment_id IS NOT NULL AND (? IS NULL OR attempt = ?)
       ORDER BY id LIMIT 1`,
    ),
    superseded: database.prepare<[number, number], RequestRow>(
      `SELECT r.* FROM superseded_completions s JOIN requests r ON r.id = s.request_id
       WHERE s.segment_id = ? AND s.byte_offset = ?`,
    ),
  }
}
