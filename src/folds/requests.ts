import type { JournalEvent, RequestLogged, StreamCompleted } from '../events/event-types.js'
import type {
  Place,
  PlacedCompletion,
  ProjectionTables,
  StoredRequest,
} from '../store/sqlite/projection-tables.js'
import type { FoundRequest } from '../store/sqlite/request-finder.js'
import { labelsColumn } from '../store/sqlite/request-rows.js'
import type { CompletionCounts } from './completion-counts.js'
import { countedRequest } from './counted-request.js'
import type { RollupChanges } from './rollups.js'
import type { TokenRatioChanges } from './token-ratios.js'

/** Where the fold of `requests` puts its changes. */
export interface RequestsTarget {
  tables: ProjectionTables
  ratios: TokenRatioChanges
  rollups: RollupChanges
  counts: CompletionCounts
  /** Whether a line is projected for the first time: then the counters grow. A replay meets lines again. */
  isNew(place: Place): boolean
}

/** A fold of `requests` in one transaction. */
export interface EventFold {
  apply(event: JournalEvent, place: Place): void
  /** All has come. */
  finish(): void
}

/** The fold of `requests`, live: completions find their row at once, or are held until it comes. */
export class RequestsFold implements EventFold {
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

  finish(): void {}

  #logRequest(event: RequestLogged, place: Place): void {
    const { tables, ratios, rollups, isNew } = this.#target
    const id = tables.insertRequest(event, place)
    ratios.add(event)
    rollups.add(event, isNew(place))
    if (!this.#mayBeHeld) return
    const attempt = event.attempt ?? null
    const held = tables.takeHeldCompletions(event.correlation_id, attempt)
    let request: StoredRequest = {
      ...event,
      id,
      attempt,
      streaming: Number(event.streaming),
      success: Number(event.success),
      stream_duration_ms: null,
      completed_segment_id: null,
      completed_byte_offset: null,
      labels: labelsColumn(event),
      segment_id: place.segmentId,
      byte_offset: place.byteOffset,
    }
    for (const completion of held) {
      request = completeRequest(this.#target, { request, isAmbiguous: false }, completion)
    }
  }

  #completeStream(completion: PlacedCompletion & { completion: StreamCompleted }): void {
    const { tables } = this.#target
    const found = tables.requests.find(completion.completion)
    if (found === undefined) {
      tables.holdCompletion(completion)
      this.#mayBeHeld = true
    } else {
      completeRequest(this.#target, found, completion)
    }
  }
}

/** Overwrites a row with its completion, and corrects what it counted for. @returns the row as it is then. */
export function completeRequest(
  { tables, ratios, rollups, counts, isNew }: RequestsTarget,
  { request: stored, isAmbiguous }: FoundRequest,
  completion: PlacedCompletion,
): StoredRequest {
  const { input_tokens, output_tokens, cost_sats, stream_duration_ms, success } = completion.completion
  const completed: StoredRequest = {
    ...stored,
    input_tokens,
    output_tokens,
    cost_sats,
    stream_duration_ms,
    success: Number(success ?? stored.success),
    completed_segment_id: completion.place.segmentId,
    completed_byte_offset: completion.place.byteOffset,
  }
  const isRepeated = stored.completed_segment_id !== null
  if (isRepeated) tables.supersedeCompletion(stored)
  counts.add(completion.place.segmentId, { isRepeated, isAmbiguous })
  tables.completeRequest(stored.id, completion)
  // A completion that was held until a new request came is an old line with a new effect.
  const isCounted = isNew(completion.place) || isNewRequest(stored, isNew)
  const outcome = {
    input_tokens,
    output_tokens,
    cost_sats,
    success: completed.success !== 0,
    isCompleted: true,
  }
  rollups.correct(countedRequest(stored), outcome, isCounted)
  // Rows from before the journal never counted.
  if (stored.segment_id !== null) {
    ratios.subtract({ ...stored, success: stored.success === 1 })
    ratios.add({ ...completed, success: completed.success === 1 })
  }
  return completed
}

function isNewRequest({ segment_id, byte_offset }: StoredRequest, isNew: RequestsTarget['isNew']): boolean {
  return (
    segment_id !== null && byte_offset !== null && isNew({ segmentId: segment_id, byteOffset: byte_offset })
  )
}
