import type { RequestLogged, StreamCompleted } from '../../events/event-types.js'
import type { BatchItem } from '../../events/place.js'
import type { Changes } from '../../folds/changes.js'
import { loggedFigures, type RowCost } from '../../folds/costs/row-cost.js'
import { fold, foldDeferred, keysOf } from '../../folds/requests.js'
import { Sums } from '../../folds/sums/sums.js'
import type { LineCounts } from '../../journal/read/batch.js'
import { repriceWithin } from '../../projection/repricing.js'
import type { RebuildTransaction } from '../../store/port.js'
import { addCounts, emptyPosition, type SegmentPosition } from '../../store/positions.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { readPriceBook, readPrices } from '../../store/sqlite/price-queries.js'
import { beginRebuild } from '../../store/sqlite/sqlite-rebuild.js'
import { SqliteStatements } from '../../store/sqlite/sqlite-transaction.js'
import type { ClaimedCompletions } from './claimed-completions.js'

const PAGE_ROWS = 1000

/** Folds the journal's batches into the expected database, as a replay would. */
export class ExpectedRows {
  readonly #transaction: RebuildTransaction
  readonly #sums: Sums
  #position: SegmentPosition | null = null

  private constructor(transaction: RebuildTransaction) {
    this.#transaction = transaction
    this.#sums = new Sums(transaction.rollupLabels)
  }

  /** @param database the expected one, seeded. */
  static async begin(database: Database): Promise<ExpectedRows> {
    const transaction = beginRebuild(
      database,
      new SqliteStatements(database),
      { before: [], rollupLabels: undefined },
      { book: readPriceBook(database), onCommitted: () => {} },
    )
    const rows = new ExpectedRows(transaction)
    for await (const requests of transaction.unjournaledRequests()) {
      for (const request of requests) rows.#sums.addUnjournaled(request)
    }
    return rows
  }

  /** Begins a segment: the next batches are from the one with this position. */
  async enter({ id, name, journalId, file }: SegmentPosition): Promise<void> {
    this.#position = emptyPosition(id, name, journalId, file)
    await this.#transaction.addSegment(this.#position)
  }

  async write(items: readonly BatchItem[], counts?: LineCounts): Promise<void> {
    if (this.#position !== null && counts !== undefined) {
      this.#position = { ...this.#position, counts: addCounts(this.#position.counts, counts) }
    }
    if (items.length === 0) return
    await this.#apply(fold(await this.#transaction.load(keysOf(items)), items))
  }

  async #apply(changes: Changes): Promise<void> {
    await this.#transaction.apply(changes)
    this.#sums.add(changes)
    if (this.#sums.isFull) await this.#transaction.addSums(this.#sums.take())
  }

  /** Notes how far the segment was read. */
  async leave(end: Pick<SegmentPosition, 'projectedBytes' | 'projectedCrc32' | 'lastLine'>): Promise<void> {
    if (this.#position === null) return
    await this.#transaction.advance(0, { ...this.#position, ...end })
    this.#position = null
  }

  /** Copies the rows of a segment that is gone for a good reason from the database. */
  async copySegment(reader: Database, segmentId: number): Promise<void> {
    const rows = reader.prepare<[number], RequestRow>(
      'SELECT * FROM main.requests WHERE segment_id = ? ORDER BY byte_offset, id',
    )
    const { prices, rates } = readPrices(reader, 'segment_id = ?', segmentId)
    let items: BatchItem[] = [...prices, ...rates]
    for (const row of rows.iterate(segmentId)) {
      items.push(...eventsOf(row))
      if (items.length < PAGE_ROWS) continue
      await this.write(items)
      items = []
    }
    await this.write(items)
  }

  /**
   * Folds the completions, and makes everything readable by other connections.
   *
   * @param chooser chooses the request that each completion changes; null: the rules alone do.
   */
  async finish(chooser: ClaimedCompletions | null): Promise<void> {
    const transaction = this.#transaction
    for await (const deferred of transaction.deferred()) {
      const { known, completions } = chooser?.choose(deferred.known, deferred.completions) ?? deferred
      await this.#apply(foldDeferred(known, completions))
    }
    await transaction.dropUnreadPrices()
    await repriceWithin(transaction, this.#sums)
    await transaction.addSums(this.#sums.take())
    await transaction.commit()
  }
}

interface RequestRow
  extends Omit<RequestLogged, 'type' | 'success' | 'streaming' | 'attempt' | 'labels'>,
    Omit<RowCost, 'price' | 'cost_sats' | 'cost_usd'> {
  attempt: number | null
  streaming: number
  success: number
  labels: string | null
  stream_duration_ms: number | null
  segment_id: number
  byte_offset: number
  completed_segment_id: number | null
  completed_byte_offset: number | null
}

/** The events that would make a row as it is. */
function eventsOf(row: RequestRow): BatchItem[] {
  const { attempt, streaming, success, labels, stream_duration_ms } = row
  const { segment_id, byte_offset, completed_segment_id, completed_byte_offset, ...columns } = row
  const logged = loggedFigures({ ...row, cost_usd: row.cost_usd ?? null })
  const event: RequestLogged = {
    ...columns,
    cost_sats: logged.sats,
    cost_usd: logged.usd ?? undefined,
    type: 'request_logged',
    streaming: streaming !== 0,
    success: success !== 0,
    attempt: attempt ?? undefined,
    labels: labels === null ? undefined : (JSON.parse(labels) as Record<string, string>),
  } as RequestLogged
  const request = { segmentId: segment_id, byteOffset: byte_offset, event }
  if (completed_segment_id === null || completed_byte_offset === null) return [request]
  const completion = { ...event, type: 'stream_completed', stream_duration_ms } as unknown as StreamCompleted
  return [request, { segmentId: completed_segment_id, byteOffset: completed_byte_offset, event: completion }]
}
