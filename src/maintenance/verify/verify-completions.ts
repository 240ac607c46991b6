import type { RequestLogged, StreamCompleted } from '../../events/event-types.js'
import type { Place, PlacedCompletion } from '../../events/placed.js'
import { completionColumns, heldColumns } from './expected-columns.js'
import { differingColumns } from './row-comparer.js'
import type { ProblemList } from './verify-problems.js'
import type { ExpectedRatios } from './verify-ratios.js'
import type { CompletableRow, HeldRow, RequestRow, Snapshot } from './verify-snapshot.js'

interface CompletionMatcherOptions {
  snapshot: Snapshot
  ratios: ExpectedRatios
  problems: ProblemList
}

/** Matches each completion with the row that it completed, or finds out why there is none. */
export class CompletionMatcher {
  /** Completions that wait for their request. */
  held = 0
  /** Completions that a later one on the same row has overwritten. */
  superseded = 0
  readonly #options: CompletionMatcherOptions
  /** Ids need the order of places for these. */
  readonly #isInOrder: boolean
  /**
   * What a row's `success` was before its last completion, by id, where that completion hasn't been passed; it stays
   * where the last one doesn't say it. As many as streams run at once, not as there are rows.
   */
  readonly #successBefore = new Map<number, boolean>()
  /** Rows of which a completion has been passed that isn't their last: they had one when the next came. */
  readonly #hadCompletion = new Set<number>()
  /** Rows whose last completion was held, has been passed, and doesn't say `success`: their request will. */
  readonly #awaitsSuccess = new Set<number>()

  constructor(options: CompletionMatcherOptions) {
    this.#options = options
    this.#isInOrder = !options.snapshot.hasLateLines
  }

  /** A completed row's own line has been passed. */
  passRequest(row: RequestRow, event: RequestLogged): void {
    if (!this.#isInOrder || row.success === Number(event.success)) {
      this.#awaitsSuccess.delete(row.id)
    } else if (!isBefore(completedPlace(row), place(row))) {
      // Unless a completion that was held has overwritten it at once.
      if (!this.#successBefore.has(row.id)) this.#successBefore.set(row.id, event.success)
    } else if (this.#awaitsSuccess.delete(row.id)) {
      this.#reportSuccess(place(row), row, event.success)
    }
  }

  /** Completions of pruned segments that a replay begins with. */
  passCarried(carried: readonly PlacedCompletion[]): void {
    if (!this.#isInOrder) return
    for (const { completion, place: at } of carried) {
      const row = this.#targetOf(completion, at)
      if (row !== undefined && isBefore(at, completedPlace(row)))
        this.#passSuperseded(row, completion.success)
    }
  }

  match(event: StreamCompleted, at: Place): void {
    const { snapshot, problems } = this.#options
    const isPruned = snapshot.wasPruned(event.correlation_id, at)
    const target = this.#isInOrder && !isPruned ? this.#targetOf(event, at) : undefined
    let first: RequestRow | null = null
    snapshot.completedRows.takeBefore(at.segmentId, at.byteOffset + 1, ({ id }) => {
      const row = snapshot.row(id)
      if (first === null) {
        first = row
        this.#compare(event, at, row, target)
      } else if (!isSamePlace(first, row)) {
        const detail = `row ${id} says that this line has completed it, and so does row ${first.id}`
        problems.addAt('altered', at, { detail, row_id: id })
      }
      // Else it is a copy of the row, and reported as that.
    })
    let held: HeldRow | null = null
    snapshot.held.takeBefore(at.segmentId, at.byteOffset + 1, (row) => {
      held = row
    })
    if (held !== null) {
      const isThere = this.#isInOrder ? target !== undefined : snapshot.hasRequest(event)
      this.#compareHeld(event, at, held, { completed: first, isThere })
    } else if (first === null && !isPruned) this.#findSuccessor(event, at, target)
  }

  /** The row that a completion changes by the rules, where places and ids have one order; undefined: it is held. */
  #targetOf(completion: PlacedCompletion['completion'], at: Place): CompletableRow | undefined {
    const { snapshot } = this.#options
    const nextId = snapshot.rows.next?.id ?? Number.MAX_SAFE_INTEGER
    const { correlation_id, attempt = null } = completion
    let newest: CompletableRow | undefined
    for (const row of snapshot.newestRows(correlation_id, nextId)) {
      if (attempt !== null) {
        if (row.attempt === attempt) return row
        continue
      }
      newest ??= row
      if (row.streaming !== 0 && !this.#hasCompletionAt(row, at)) return row
    }
    return newest ?? snapshot.firstRowAfter(completion, nextId)
  }

  #hasCompletionAt(row: CompletableRow, at: Place): boolean {
    if (row.completed_segment_id === null) return false
    return this.#hadCompletion.has(row.id) || isBefore(completedPlace(row), at)
  }

  #compare(event: StreamCompleted, at: Place, row: RequestRow, target: CompletableRow | undefined): void {
    const { ratios, problems } = this.#options
    problems.addDifferences('altered', at, differingColumns(completionColumns(event), row), {
      detail: `row ${row.id} is not what this completion made of it`,
      row_id: row.id,
    })
    if (this.#isInOrder && target?.id !== row.id && row.correlation_id === event.correlation_id) {
      const right = target === undefined ? 'none that is there' : `row ${target.id}`
      const detail = `row ${row.id} says that this line has completed it, which completes ${right}`
      problems.addAt('altered', at, { detail, row_id: row.id })
    }
    this.#hadCompletion.delete(row.id)
    const before = this.#successBefore.get(row.id)
    this.#successBefore.delete(row.id)
    if (event.success === null && this.#isInOrder && row.segment_id !== null) {
      if (before === undefined) {
        if (isBefore(at, place(row))) this.#awaitsSuccess.add(row.id)
      } else if (Number(before) !== row.success) this.#reportSuccess(at, row, before)
    }
    if (row.segment_id === null) return
    const { input_tokens, output_tokens, success } = event
    ratios.add({ policy: row.policy, input_tokens, output_tokens, success: success ?? row.success === 1 })
  }

  #compareHeld(
    event: StreamCompleted,
    at: Place,
    row: HeldRow,
    request: { completed: RequestRow | null; isThere: boolean },
  ): void {
    const { problems } = this.#options
    const { completed, isThere } = request
    this.held++
    problems.addDifferences('altered', at, differingColumns(heldColumns(event), row), {
      detail: 'the held completion is not what this line says',
    })
    if (completed !== null) {
      const detail = `the completion is held, although row ${completed.id} says that it was applied`
      problems.addAt('surplus', at, { detail, row_id: completed.id })
    } else if (isThere) {
      problems.addAt('missing', at, { detail: 'the completion is held, although its request is there' })
    }
  }

  /** Neither a row nor held: only a later completion of the same row may be the reason. */
  #findSuccessor(event: StreamCompleted, at: Place, target: CompletableRow | undefined): void {
    const { problems } = this.#options
    const row = this.#isInOrder ? target : this.#successorAmongLate(event.correlation_id, at)
    if (row === undefined) {
      problems.addAt('missing', at, { detail: 'a completion that is neither on a row nor held' })
    } else if (!this.#isInOrder || isBefore(at, completedPlace(row))) {
      this.superseded++
      this.#passSuperseded(row, event.success)
    } else {
      problems.addAt('missing', at, {
        detail: `a completion that row ${row.id} doesn't show`,
        row_id: row.id,
      })
    }
  }

  #passSuperseded(row: Pick<CompletableRow, 'id'>, success: boolean | null): void {
    this.#hadCompletion.add(row.id)
    if (success !== null) this.#successBefore.set(row.id, success)
  }

  /**
   * Where late lines came, completions were applied as they came, which only the database knows. What it hasn't kept, since it
   * was projected by an earlier version, may have been overwritten by a later one, or by one of a segment with late lines.
   */
  #successorAmongLate(correlationId: string, at: Place): RequestRow | undefined {
    const { snapshot } = this.#options
    const kept = snapshot.rowOfSuperseded(at)
    if (kept !== undefined) return kept.correlation_id === correlationId ? kept : undefined
    for (const row of snapshot.completedRowsOf(correlationId)) {
      const last = completedPlace(row)
      if (isBefore(at, last) || snapshot.hasLateLinesOf(last.segmentId)) return row
    }
    return undefined
  }

  #reportSuccess(at: Place, row: RequestRow, expected: boolean): void {
    const difference = { column: 'success', expected: Number(expected), found: row.success }
    this.#options.problems.addDifferences('altered', at, [difference], {
      detail: `row ${row.id} is not what its lines say`,
      row_id: row.id,
    })
  }
}

function place(row: RequestRow): Place {
  return { segmentId: row.segment_id ?? 0, byteOffset: row.byte_offset ?? 0 }
}

function completedPlace(row: CompletableRow | RequestRow): Place {
  return { segmentId: row.completed_segment_id ?? 0, byteOffset: row.completed_byte_offset ?? 0 }
}

function isBefore(a: Place, b: Place): boolean {
  return a.segmentId === b.segmentId ? a.byteOffset < b.byteOffset : a.segmentId < b.segmentId
}

function isSamePlace(a: RequestRow, b: RequestRow): boolean {
  return a.segment_id === b.segment_id && a.byte_offset === b.byte_offset && a.segment_id !== null
}
