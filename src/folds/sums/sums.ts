import type { Place } from '../../events/place.js'
import type { Changes, CompletedRequest } from '../changes.js'
import type { Costs, CountedRequest } from '../stored-request.js'
import { type RollupChanges, RollupSums } from './rollups.js'
import { type RatioChange, RatioSums } from './token-ratios.js'

/** Folds changes to requests into sums over requests: token ratios, roll-ups, counters. */
export class Sums {
  readonly #ratios = new RatioSums()
  readonly #rollups: RollupSums
  readonly #isNew: (place: Place) => boolean

  /**
   * @param labels the names of the labels that roll-ups are kept by, in order.
   * @param isNew returns whether the line at a place is projected for the first time, so that the
   *   counters grow. In a replay most lines aren't.
   */
  constructor(labels: readonly string[], isNew: (place: Place) => boolean = () => true) {
    this.#rollups = new RollupSums(labels)
    this.#isNew = isNew
  }

  /** Whether so much has been collected that the caller should call `take`. */
  get isFull(): boolean {
    return this.#ratios.isFull || this.#rollups.isFull
  }

  add({ inserted, completed, repriced }: Changes): void {
    for (const request of inserted) {
      this.#ratios.add(request.event)
      this.#rollups.add(request.event, request.cost, this.#isNew(request))
    }
    for (const request of completed) this.#correct(request)
    for (const { before, cost, isNewRetry } of repriced) {
      if (before.isInSums) this.#rollups.reprice(before, cost, isNewRetry)
    }
  }

  /** Adds a request that didn't come from the journal. The counters include it already. */
  addUnjournaled(request: CountedRequest & Costs): void {
    this.#rollups.add(request, request, false)
  }

  /** Takes a request from the journal out of the sums again. */
  remove(request: CountedRequest & Costs): void {
    this.#ratios.subtract(request)
    this.#rollups.remove(request, request)
  }

  /** Returns the changes that were collected, and starts over with none. */
  take(): SumChanges {
    return { ratios: this.#ratios.take(), rollups: this.#rollups.take() }
  }

  #correct({ before, after, by }: CompletedRequest): void {
    if (!before.isInSums) return
    // A completion that was held until a new request came is an old line with a new effect.
    const growsCounters = this.#isNew(by.place) || (before.place !== null && this.#isNew(before.place))
    this.#rollups.correct(before, after, growsCounters)
    // Requests from before the journal aren't samples of a ratio.
    if (before.place === null) return
    this.#ratios.subtract(before)
    this.#ratios.add(after)
  }
}

/** How much sums over requests change. */
export interface SumChanges {
  ratios: readonly RatioChange[]
  /** They must be written in this order. */
  rollups: readonly RollupChanges[]
}
