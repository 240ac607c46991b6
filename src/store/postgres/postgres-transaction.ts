import type { PlacedCompletion } from '../../events/place.js'
import type { Changes, CompletedRequest, Keys, Known } from '../../folds/changes.js'
import type { PriceBook } from '../../folds/costs/price-book.js'
import { grouped } from '../../folds/grouped.js'
import type { SumChanges } from '../../folds/sums/sums.js'
import { COMPLETION_COLUMNS } from '../outcome-columns.js'
import type { RepricePage, StoreTransaction } from '../port.js'
import type { SegmentPosition } from '../positions.js'
import { type CompletionRow, completionValues, placedCompletion } from './completion-rows.js'
import type { CopyIn } from './connection/copy-in.js'
import { CopyRows } from './connection/copy-rows.js'
import { PostgresError } from './connection/errors.js'
import { jsonRows } from './connection/values.js'
import { gzipped, type JournalChunks, setChunksAside } from './journal-chunks.js'
import type { JournalConnection } from './journal-connection.js'
import type { Partitions } from './partitions.js'
import { insertPrices } from './price-rows.js'
import { addToRepricing, takeRowsToReprice } from './repricing-queries.js'
import { COMPLETE_SQL, costRows, isUnstored, outcomeRows, REPRICE_SQL, requestRow } from './request-rows.js'
import type { RollupWriter } from './rollup-writer.js'
import { IDS_PER_JOURNAL } from './row-ids.js'
import { advancePosition, insertPosition } from './segment-queries.js'
import { findRequests, storedRequestOf } from './stored-row.js'

/** A transaction that has begun, and the state that it continues from. */
export interface TransactionOptions {
  journal: JournalConnection
  rollups: RollupWriter
  rollupLabels: readonly string[]
  /** Null if no partitions are made, because the transaction is too long for that. */
  partitions: Partitions | null
  /** Null if the journal's bytes aren't kept. */
  chunks: JournalChunks | null
  nextId: number
  /** Whether there may be held completions. If there are none, requests don't look for any. */
  mayHaveHeldCompletions: boolean
  /** The prices and rates that are stored. */
  book: PriceBook
  /** Called after a commit, with the prices and rates and the `last_seen` that are stored now. */
  onCommitted: (book: PriceBook, lastSeen: string) => void
}

const NONE: ReadonlyMap<string, never> = new Map<string, never>()

/** A transaction of PostgreSQL that has begun. */
export class PostgresTransaction implements StoreTransaction {
  protected readonly options: TransactionOptions
  protected readonly journal: JournalConnection
  protected book: PriceBook
  readonly addBytes?: NonNullable<StoreTransaction['addBytes']>
  #nextId: number
  #mayHaveHeldCompletions: boolean
  #isOpen = true
  /**
   * Settles when the changes or bytes that are being written have been. If writing them fails,
   * whoever awaits this promise next throws the error. The empty `catch` on it only keeps Node from
   * ending the process before then.
   */
  #writing: Promise<void> = Promise.resolve()
  /**
   * The COPY by which new rows go to the server, batch after batch, until the connection is needed
   * for another statement; null if none is open.
   */
  #copy: CopyIn | null = null
  /** New rows that haven't been sent yet. */
  readonly #pendingRows = new CopyRows()

  constructor(options: TransactionOptions) {
    this.options = options
    this.journal = options.journal
    this.book = options.book
    this.#nextId = options.nextId
    this.#mayHaveHeldCompletions = options.mayHaveHeldCompletions
    const { chunks } = options
    if (chunks === null) return
    this.addBytes = async (segmentId, byteOffset, bytes) => {
      // While one chunk is being sent to the server, the next ones are read and compressed.
      const compressed = gzipped(bytes)
      compressed.catch(() => {})
      await this.written()
      this.#writing = compressed.then((gzip) => chunks.add(segmentId, byteOffset, bytes.length, gzip))
      this.#writing.catch(() => {})
    }
  }

  async addSegment(position: SegmentPosition): Promise<void> {
    await this.written()
    await this.clearChunks(position)
    await insertPosition(this.journal, position)
  }

  /**
   * Makes sure that a segment which is about to be read from its beginning has no chunks. If there
   * are some, they are of another segment that had this name, or of this one before it was lost.
   */
  protected async clearChunks({ id }: SegmentPosition): Promise<void> {
    await setChunksAside(this.journal, id)
  }

  async load(keys: Keys): Promise<Known> {
    const looksUp = keys.completions.size > 0 || this.#mayHaveHeldCompletions
    if (looksUp) await this.written()
    return {
      ...this.known(),
      requests: keys.completions.size === 0 ? NONE : await this.#requestsFor(keys),
      held: this.#mayHaveHeldCompletions && keys.requests.length > 0 ? await this.#heldFor(keys) : NONE,
    }
  }

  /**
   * Begins to write changes. Meanwhile the caller reads and folds the next batch, which takes about
   * as long as the server needs. Whatever depends on the rows waits for them, and throws the error
   * if writing them failed.
   */
  async apply(changes: Changes): Promise<void> {
    await this.#writing
    const throughId = this.lastId
    this.#nextId = (changes.inserted.at(-1)?.id ?? throughId) + 1
    if (changes.held.length > 0) this.#mayHaveHeldCompletions = true
    if (changes.book !== null) this.book = changes.book
    this.#writing = this.#write(changes, throughId)
    this.#writing.catch(() => {})
  }

  async #write(changes: Changes, throughId: number): Promise<void> {
    const { rejected, inserted, completed, held, released, repriced, book } = changes
    // No other statement runs while a COPY is open. If a batch only has new rows, the COPY goes on.
    const hasStatementsBefore = book !== null || rejected.length > 0
    const hasStatementsAfter = [completed, held, released, repriced].some(({ length }) => length > 0)
    if (hasStatementsBefore) await this.#endCopy()
    await this.#addPrices(changes, throughId)
    const rows = rejected.map(({ segmentId, byteOffset, event, ...line }) => ({
      ...line,
      segment_id: segmentId,
      byte_offset: byteOffset,
    }))
    await this.journal.insert('rejected_lines', rows)
    if (inserted.length > 0) await this.#insert(inserted)
    if (hasStatementsAfter) await this.#endCopy()
    await this.#complete(completed)
    await this.#hold(held)
    await this.#release(released)
    await this.#change(REPRICE_SQL, costRows(repriced))
  }

  async #insert(inserted: Changes['inserted']): Promise<void> {
    const { partitions } = this.options
    for (const timestamp of partitions?.unknown(inserted.map(({ event }) => event.timestamp)) ?? []) {
      await this.#endCopy()
      await partitions?.make(timestamp)
    }
    const rows = inserted.map((request) => requestRow(this.journal.number, request))
    this.#copy ??= this.journal.connection.startCopy('requests', Object.keys(rows[0] ?? {}))
    for (const row of rows) this.#pendingRows.add(Object.values(row))
    await this.#copy.write(this.#pendingRows.take())
  }

  async #endCopy(): Promise<void> {
    const copy = this.#copy
    this.#copy = null
    await copy?.end()
  }

  async addSums({ ratios, rollups }: SumChanges): Promise<void> {
    await this.written()
    if (ratios.length > 0) {
      await this.journal.run(
        `INSERT INTO token_ratio_sums SELECT $1, policy, millionths, samples
           FROM json_to_recordset($2) AS r(policy TEXT, millionths NUMERIC, samples BIGINT)
         ON CONFLICT (journal, policy) DO UPDATE SET
           ratio_millionths = token_ratio_sums.ratio_millionths + excluded.ratio_millionths,
           sample_count = token_ratio_sums.sample_count + excluded.sample_count`,
        jsonRows(ratios.map((ratio) => ({ ...ratio, millionths: String(ratio.millionths) }))),
      )
      await this.journal.run('DELETE FROM token_ratio_sums WHERE journal = $1 AND sample_count = 0')
    }
    const { rollups: writer, rollupLabels } = this.options
    for (const changes of rollups) await writer.write(changes, rollupLabels)
  }

  async *deferred(): AsyncGenerator<{ known: Known; completions: readonly PlacedCompletion[] }> {
    // Rows can be looked up at any time, except in a replay.
  }

  async takeRowsToReprice(maxRows: number): Promise<RepricePage | null> {
    await this.written()
    const rows = await takeRowsToReprice(this.journal, maxRows)
    return rows && { requests: rows.map(storedRequestOf), book: this.book, countsRetries: false }
  }

  async advance(expectedBytes: number, next: SegmentPosition): Promise<boolean> {
    await this.written()
    return await advancePosition(this.journal, expectedBytes, next)
  }

  /** @throws PostgresError ROW_IDS_EXHAUSTED if the next ids would be those of the next journal. */
  async commit(): Promise<void> {
    await this.written()
    const { connection, number } = this.journal
    const nextOrdinal = this.#nextId - number * IDS_PER_JOURNAL
    if (nextOrdinal > IDS_PER_JOURNAL) {
      const advice = 'let the gateways append to a new journal in another directory, and project that'
      const found = `this journal has had ${IDS_PER_JOURNAL} requests, and there are no more ids for its rows`
      throw new PostgresError('ROW_IDS_EXHAUSTED', connection.name, `${found}: ${advice}`)
    }
    const sql =
      'UPDATE journals SET next_ordinal = $2, last_seen = now() WHERE number = $1 RETURNING last_seen::text'
    const row = await this.journal.one<{ last_seen: string }>(sql, nextOrdinal)
    await connection.commit()
    this.#isOpen = false
    this.options.onCommitted(this.book, row?.last_seen ?? '')
  }

  async rollback(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    // A write that is still running may add to the caches that are cleared next.
    await this.#writing.catch(() => {})
    this.options.rollups.forget()
    this.options.chunks?.forget()
    this.options.partitions?.forget()
    await this.#copy?.cancel()
    await this.journal.connection.rollback()
  }

  /** The last id that was given. */
  protected get lastId(): number {
    return this.#nextId - 1
  }

  /**
   * Waits until what was applied is written and no COPY is open, so that the connection takes
   * statements.
   */
  protected async written(): Promise<void> {
    await this.#writing
    await this.#endCopy()
  }

  /** What a fold must know if it has nothing to look up. */
  protected known(): Known {
    return {
      nextId: this.#nextId,
      takenIds: new Set(),
      isDeferring: false,
      requests: NONE,
      later: NONE,
      held: NONE,
      book: this.book,
    }
  }

  /** @param throughId the id of the last row whose cost isn't computed with these prices yet. */
  async #addPrices({ prices, rates, book, toReprice }: Changes, throughId: number): Promise<void> {
    if (book === null) return
    await insertPrices(this.journal, { prices, rates })
    if (toReprice !== null) await addToRepricing(this.journal, toReprice, throughId)
  }

  async #complete(completed: readonly CompletedRequest[]): Promise<void> {
    if (completed.length === 0) return
    const superseded = completed.flatMap(({ before: { id, completedBy, success } }) => {
      if (completedBy === null) return []
      const { segmentId, byteOffset } = completedBy
      return { segment_id: segmentId, byte_offset: byteOffset, request_id: id, success }
    })
    await this.journal.insert(
      'superseded_completions',
      superseded,
      `ON CONFLICT (journal, segment_id, byte_offset) DO UPDATE SET
         request_id = excluded.request_id, success = excluded.success`,
    )
    await this.#change(COMPLETE_SQL, outcomeRows(completed))
    const irregular = completed
      .map(({ before, by, isAmbiguous }) => ({
        id: by.place.segmentId,
        repeated: Number(before.completedBy !== null),
        ambiguous: Number(isAmbiguous),
      }))
      .filter(({ repeated, ambiguous }) => repeated + ambiguous > 0)
    if (irregular.length === 0) return
    // A pruned segment no longer has counts, so nothing is updated for it.
    await this.journal.run(
      `UPDATE journal_segments s SET repeated_completions = repeated_completions + o.repeated,
         ambiguous_completions = ambiguous_completions + o.ambiguous
       FROM (SELECT id, sum(repeated) AS repeated, sum(ambiguous) AS ambiguous
         FROM json_to_recordset($2) AS i(id BIGINT, repeated BIGINT, ambiguous BIGINT) GROUP BY id) o
       WHERE s.journal = $1 AND s.id = o.id`,
      jsonRows(irregular),
    )
  }

  /** @throws PostgresError TABLES_RESTORED */
  async #change(sql: string, rows: readonly object[]): Promise<void> {
    if (rows.length === 0) return
    const { connection, number } = this.journal
    const json = jsonRows(rows.map((row) => ({ ...row, journal: number })))
    const changed = await connection.all<{ byte_offset: number }>(sql, json)
    if (!changed.some(isUnstored)) return
    const found = 'a row of requests that was there a moment ago is gone'
    throw new PostgresError('TABLES_RESTORED', connection.name, `${found}; the batch is projected again`)
  }

  async #hold(held: readonly PlacedCompletion[]): Promise<void> {
    if (held.length === 0) return
    const { connection, number } = this.journal
    const rows = new CopyRows()
    for (const completion of held) rows.add([number, ...completionValues(completion)])
    await connection.copy('held_completions', ['journal', ...COMPLETION_COLUMNS], rows)
  }

  async #release(released: Changes['released']): Promise<void> {
    if (released.length === 0) return
    await this.journal.run(
      `DELETE FROM held_completions WHERE ctid = ANY (ARRAY(
         SELECT h.ctid FROM unnest($2::bigint[], $3::bigint[]) AS r(segment_id, byte_offset)
         CROSS JOIN LATERAL (SELECT ctid FROM held_completions WHERE journal = $1
           AND segment_id = r.segment_id AND byte_offset = r.byte_offset OFFSET 0) h))`,
      released.map(({ segmentId }) => segmentId),
      released.map(({ byteOffset }) => byteOffset),
    )
  }

  async #requestsFor({ completions }: Keys): Promise<Known['requests']> {
    const sought = [...completions].map(([correlationId, key]) => ({
      ...key,
      correlationId,
      beforeId: this.#nextId,
    }))
    return await findRequests(this.journal, sought)
  }

  async #heldFor({ requests }: Keys): Promise<Map<string, PlacedCompletion[]>> {
    const rows = await this.journal.all<CompletionRow>(
      `SELECT ${COMPLETION_COLUMNS.join(', ')} FROM held_completions
       WHERE journal = $1 AND correlation_id = ANY ($2::text[]) ORDER BY segment_id, byte_offset`,
      [...new Set(requests)],
    )
    return grouped(rows.map(placedCompletion), ({ completion }) => completion.correlation_id)
  }
}
