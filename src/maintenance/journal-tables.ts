import { countRowsToReprice } from '../queries/costs/rows-to-reprice.js'
import { all, type Condition } from '../store/condition.js'
import { type PositionRow, positionOfRow } from '../store/position-row.js'
import { addCounts, emptyCounts, type SegmentPosition } from '../store/positions.js'
import { PrunedSegments } from '../store/pruned-segments.js'
import { dialectOf, type QueryDatabase } from '../store/query-database.js'
import { acceptedMissing, prunedSegments } from '../store/sqlite/segment-queries.js'

/** What a database knows about a journal's segments. */
export interface KnownSegments {
  positions: readonly SegmentPosition[]
  pruned: PrunedSegments
  /** The names of missing segments that somebody has accepted. */
  accepted: ReadonlySet<string>
}

/** What is known without a database. */
export const NOTHING_KNOWN: KnownSegments = {
  positions: [],
  pruned: PrunedSegments.NONE,
  accepted: new Set(),
}

/** No journal has this number. */
const UNKNOWN = -1

/**
 * The tables of one journal: all that a file holds, or the journal's own rows of the tables that
 * many journals share in PostgreSQL.
 */
export class JournalTables {
  readonly database: QueryDatabase
  /** The journal's number in PostgreSQL; null: the database is a file, and holds one journal. */
  readonly number: number | null
  readonly #journalId: string

  /** @param journalId if the database doesn't know this id, there are no rows of the journal. */
  constructor(database: QueryDatabase, journalId: string) {
    this.database = database
    this.#journalId = journalId
    this.number = dialectOf(database).isShared ? this.#numberOf(journalId) : null
  }

  /** Whether the database knows the journal; a file holds no other one. */
  get isKnown(): boolean {
    return this.number !== UNKNOWN
  }

  /** The condition that the journal's rows meet, for questions that don't use `from`. */
  get condition(): Condition {
    return all(this.number === null ? [] : dialectOf(this.database).isInJournal(this.number))
  }

  /** Returns the SQL for a FROM clause that reads only the journal's rows of a table. */
  from(table: string, alias = table): string {
    return this.number === null
      ? `${table} AS ${alias}`
      : `(SELECT * FROM ${table} WHERE journal = ${this.number}) AS ${alias}`
  }

  count(table: string, condition = 'TRUE'): number {
    const sql = `SELECT count(*) FROM ${this.from(table)} WHERE ${condition}`
    return this.database.prepare<[], number>(sql).pluck().get() as number
  }

  /** How many of the journal's rows wait to be repriced; 100,000 if there are more. */
  countRowsToReprice(): number {
    return countRowsToReprice(this.database, { journal: this.number ?? undefined })
  }

  knownSegments(): KnownSegments {
    const { database } = this
    const rows = database.prepare<[], Omit<PositionRow, 'journal_id'>>(
      `SELECT * FROM ${this.from('journal_segments')} ORDER BY id`,
    )
    return {
      // In a file each row has the id of its journal, which may be another one.
      positions: rows.all().map((row) => positionOfRow({ journal_id: this.#journalId, ...row })),
      pruned:
        this.number === null
          ? prunedSegments(database)
          : new PrunedSegments(this.#prunedThrough(this.number)),
      accepted: acceptedMissing(database, this.from('missing_segments')),
    }
  }

  #numberOf(journalId: string): number {
    const find = this.database.prepare<[string], number>('SELECT number FROM journals WHERE journal_id = ?')
    return find.pluck().get(journalId) ?? UNKNOWN
  }

  #prunedThrough(number: number): number {
    const find = this.database.prepare<[number], number>(
      'SELECT pruned_through FROM journals WHERE number = ?',
    )
    return find.pluck().get(number) ?? 0
  }
}

/** The counts of all segments together, and how many of their completions are irregular. */
export function sumOfPositions(positions: readonly SegmentPosition[]) {
  return {
    ...positions.reduce((sum, { counts }) => addCounts(sum, counts), emptyCounts()),
    repeated: positions.reduce((sum, { irregular }) => sum + irregular.repeated, 0),
    ambiguous: positions.reduce((sum, { irregular }) => sum + irregular.ambiguous, 0),
  }
}
