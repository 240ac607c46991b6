import type { JournalEvent, RequestLogged, StreamCompleted } from '../events/schema.js'
import type {
  Place,
  PlacedCompletion,
  ProjectionTables,
  StoredRequest,
} from '../storage/projection-tables.js'
import type { TokenRatioChanges } from './token-ratios.js'

/** Where the fold of `requests` puts its changes. */
export interface RequestsTarget {
  tables: ProjectionTables
  ratios: TokenRatioChanges
}

/** The fold of `requests`, live: completions find their row at once, or are held until it comes. */
export class RequestsFold {
  readonly #target: RequestsTarget
  /** While none is held, a request need not look for its own. */
  #mayBeHeld: boolean

  /** For one transaction. */
  constructor(target: RequestsTarget) {
    this.#target = target
    this.#mayBeHeld = target.tables.hasHeldCompletions()
  }

  apply(event: JournalEvent, place: Place): void {
    switch (event.type) {
      case 'request_logged':
        this.#logRequest(event, place)
        break
      case 'stream_completed':
        this.#completeStream({ completion: event, place })
        break
      default:
        event satisfies never
    }
  }

  #logRequest(event: RequestLogged, place: Place): void {
    const { tables, ratios } = this.#target
    const id = tables.insertRequest(event, place, null)
    ratios.add(event)
    if (!this.#mayBeHeld) return
    const held = tables.takeHeldCompletions(event.correlation_id)
    let stored: StoredRequest = { ...event, id, success: Number(event.success), segment_id: place.segmentId }
    for (const completion of held) stored = completeRequest(this.#target, stored, completion)
  }

  #completeStream(completion: PlacedCompletion & { completion: StreamCompleted }): void {
    const { tables } = this.#target
    const stored = tables.newestRequest(completion.completion.correlation_id)
    if (stored === undefined) {
      tables.holdCompletion(completion)
      this.#mayBeHeld = true
    } else {
      completeRequest(this.#target, stored, completion)
    }
  }
}

/** Overwrites a row with its completion, and corrects what it counted for. @returns the row as it is then. */
export function completeRequest(
  { tables, ratios }: RequestsTarget,
  stored: StoredRequest,
  completion: PlacedCompletion,
): StoredRequest {
  const { input_tokens, output_tokens, success } = completion.completion
  const completed = { ...stored, input_tokens, output_tokens, success: Number(success ?? stored.success) }
  tables.completeRequest(stored.id, completion)
  // Rows from before the journal never counted.
  if (stored.segment_id !== null) {
    ratios.subtract({ ...stored, success: stored.success === 1 })
    ratios.add({ ...completed, success: completed.success === 1 })
  }
  return completed
}
