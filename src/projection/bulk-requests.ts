import type { JournalEvent } from '../events/schema.js'
import type { BulkTables } from '../storage/bulk-tables.js'
import type { Database } from '../storage/database.js'
import type { Place, PlacedCompletion } from '../storage/projection-tables.js'
import { prunedCompletionTest } from '../storage/pruned.js'
import { requestQueue, requestRow } from '../storage/request-rows.js'
import type { RowQueue } from '../storage/row-queue.js'
import { completeRequest, type EventFold, type RequestsTarget } from './requests.js'

interface BulkRequestsOptions {
  database: Database
  target: RequestsTarget
  /** Whose indexes were dropped. */
  bulkTables: BulkTables
  /** The ids that requests get. */
  ids: Generator<number, never>
}

/**
 * The fold of `requests` for very many lines: rows first, then the indexes that were dropped, then the completions, which
 * meet the rows that they would have met live.
 */
export class BulkRequests implements EventFold {
  readonly #options: BulkRequestsOptions
  readonly #queue: RowQueue
  readonly #defer: ReturnType<BulkTables['deferrer']>
  #nextId: number

  constructor(options: BulkRequestsOptions) {
    this.#options = options
    this.#queue = requestQueue(options.database)
    this.#defer = options.bulkTables.deferrer()
    this.#nextId = options.ids.next().value
  }

  /** Completes what comes from now on, or what is there. */
  defer(completion: PlacedCompletion): void {
    this.#defer(completion, this.#nextId)
  }

  apply(event: JournalEvent, place: Place): void {
    if (event.type === 'stream_completed') {
      this.defer({ completion: event, place })
      return
    }
    const { ratios, rollups, isNew } = this.#options.target
    this.#queue.add(requestRow(event, place, this.#nextId))
    ratios.add(event)
    rollups.add(event, isNew(place))
    this.#nextId = this.#options.ids.next().value
  }

  finish(): void {
    const { database, target, bulkTables } = this.#options
    this.#queue.insert()
    bulkTables.createIndexes()
    const findRequest = bulkTables.requestFinder()
    const wasPruned = prunedCompletionTest(database)
    for (const deferred of bulkTables.deferredCompletions()) {
      if (wasPruned(deferred.completion.correlation_id, deferred.place)) continue
      const stored = findRequest(deferred)
      if (stored === undefined) target.tables.holdCompletion(deferred)
      else completeRequest(target, stored, deferred)
    }
    bulkTables.finish()
  }
}
