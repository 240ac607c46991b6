import type { JournalEvent } from '../events/event-types.js'
import { completeRequest, type EventFold, type RequestsTarget } from '../folds/requests.js'
import type { BulkTables } from '../store/sqlite/bulk-tables.js'
import type { Database } from '../store/sqlite/connection/database.js'
import type { Place, PlacedCompletion } from '../store/sqlite/projection-tables.js'
import { prunedCompletionTest } from '../store/sqlite/pruned.js'
import { requestQueue, requestRow } from '../store/sqlite/request-rows.js'
import type { RowQueue } from '../store/sqlite/row-queue.js'

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
 * meet the rows that they would have met live. Lines must come in the order of the journal: live, completions that were
 * held for one request are applied in that order, here in the order in which they come.
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
    const { requests } = target.tables
    const wasPruned = prunedCompletionTest(database)
    for (const deferred of bulkTables.deferredCompletions()) {
      const { completion, place, nextId } = deferred
      if (wasPruned(completion.correlation_id, place)) continue
      const found = requests.find(completion, nextId)
      if (found !== undefined) {
        completeRequest(target, found, deferred)
        continue
      }
      const request = requests.firstAfter(completion, nextId)
      if (request === undefined) target.tables.holdCompletion(deferred)
      else completeRequest(target, { request, isAmbiguous: false }, deferred)
    }
    bulkTables.finish()
  }
}
