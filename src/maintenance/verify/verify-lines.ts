import type { JournalEvent, RequestLogged } from '../../events/event-types.js'
import type { Place, RejectedLine } from '../../events/placed.js'
import { completionColumns, requestColumns, uncompletedColumns } from './expected-columns.js'
import { differingColumns } from './row-comparer.js'
import { CompletionMatcher } from './verify-completions.js'
import type { ProblemList } from './verify-problems.js'
import { ExpectedRatios } from './verify-ratios.js'
import type { RejectedRow, RequestRow, Snapshot } from './verify-snapshot.js'

/** What one projected line became, in the order of their places. */
export type LineItem = { place: Place; event: JournalEvent } | { place: Place; rejected: RejectedLine }

/** Rejected lines of one segment that the database hasn't kept: which fault that is, its bytes will say. */
const MAX_UNLISTED = 500

/** Matches the projected lines of a journal, in their order, with what the database holds. */
export class LineMatcher {
  /** Rows that came from the journal, or say so. */
  rows = 0
  readonly ratios = new ExpectedRatios()
  readonly completions: CompletionMatcher
  readonly #snapshot: Snapshot
  readonly #problems: ProblemList
  readonly #ids: Generator<number, never> | null
  #misnumbered: { place: Place; id: number; expected: number } | null = null
  #unlisted: RejectedLine[] = []
  #unlistedCount = 0

  constructor(snapshot: Snapshot, problems: ProblemList) {
    this.#snapshot = snapshot
    this.#problems = problems
    this.#ids = snapshot.hasLateLines ? null : snapshot.ids()
    this.completions = new CompletionMatcher({ snapshot, ratios: this.ratios, problems })
  }

  /** @param end just behind the line. */
  addLine(start: Place, end: Place, items: readonly LineItem[]): void {
    this.passTo(start)
    let isDamaged = false
    for (const item of items) {
      if ('rejected' in item && !this.#findRejected(item.rejected)) isDamaged = true
    }
    for (const { place, ...item } of items) {
      this.#passWithin(place, isDamaged)
      if (!('event' in item)) continue
      if (item.event.type === 'request_logged') this.#matchRequest(item.event, place)
      else this.completions.match(item.event, place)
    }
    this.#passWithin(end, isDamaged)
  }

  /** Rows that stand in no order of places. */
  reportMisplaced(): void {
    for (const { id, segment_id, byte_offset } of this.#snapshot.misplacedRows()) {
      if (segment_id !== null) this.rows++
      const detail = `row ${id} has a place that is none (${String(segment_id)}, ${String(byte_offset)}), or was completed from one`
      this.#problems.add({ kind: 'surplus', segment: null, byte_offset: null, detail, row_id: id })
    }
  }

  /** Everything in the database before this place that no line has claimed is surplus. */
  passTo({ segmentId, byteOffset }: Place): void {
    const { rows, completedRows, held } = this.#snapshot
    rows.takeBefore(segmentId, byteOffset, ({ id, ...place }) => {
      this.rows++
      const detail = `row ${id} says that it comes from here, where no such line is`
      this.#problems.addAt('surplus', asPlace(place), { detail, row_id: id })
    })
    completedRows.takeBefore(segmentId, byteOffset, ({ id, ...place }) => {
      const detail = `row ${id} says that it was completed from here, where no completion is`
      this.#problems.addAt('altered', asPlace(place), { detail, row_id: id })
    })
    held.takeBefore(segmentId, byteOffset, (row) => {
      this.#problems.addAt('surplus', asPlace(row), { detail: 'a held completion, where none stands' })
    })
    this.#passRejected(segmentId, byteOffset)
  }

  /**
   * Rows that are left may have been completed from segments that were pruned: what those completions said is kept, and
   * a replay writes it again.
   */
  passPruned(throughSegmentId: number): void {
    const all = this.#snapshot.carriedCompletions()
    const carried = new Map(all.map(({ place, completion }) => [keyOf(place), completion]))
    this.completions.passCarried(all)
    this.#snapshot.completedRows.takeBefore(throughSegmentId + 1, 0, ({ id, ...at }) => {
      const place = asPlace(at)
      const row = this.#snapshot.row(id)
      this.#addOwnRatio(row)
      const completion = carried.get(keyOf(place))
      if (completion === undefined) {
        const detail = `row ${id} was completed from a pruned segment, by a completion that was not kept`
        this.#problems.addAt('altered', place, { detail, row_id: id })
        return
      }
      this.#problems.addDifferences('altered', place, differingColumns(completionColumns(completion), row), {
        detail: `row ${id} is not what was kept of the pruned completion here`,
        row_id: id,
      })
    })
  }

  /** Takes all before this place without a word: its lines are gone, or can't be read any more. @returns the rows. */
  excuseTo({ segmentId, byteOffset }: Place): number {
    const { rows, completedRows, held, rejected } = this.#snapshot
    let count = 0
    rows.takeBefore(segmentId, byteOffset, ({ id }) => {
      count++
      this.#ids?.next()
      const row = this.#snapshot.row(id)
      if (row.completed_segment_id === null) this.#addOwnRatio(row)
    })
    completedRows.takeBefore(segmentId, byteOffset, ({ id }) => this.#addOwnRatio(this.#snapshot.row(id)))
    held.takeBefore(segmentId, byteOffset, () => {})
    rejected.takeBefore(segmentId, byteOffset, () => {})
    this.rows += count
    return count
  }

  /** Where everything else is right, the first row whose id is not the one that a replay gives it. */
  reportMisnumbered(): void {
    if (this.#misnumbered === null) return
    const { place, id, expected } = this.#misnumbered
    const columns = [{ column: 'id', journal: expected, database: id }]
    const detail = `row ${id} should be row ${expected}, by its line's turn; those behind it were not looked at`
    this.#problems.addAt('altered', place, { detail, row_id: id, columns })
  }

  /** @param isSame the segment's bytes are those that were projected. */
  endSegment(isSame: boolean): void {
    for (const { reason, detail, ...place } of this.#unlisted) {
      if (isSame)
        this.#problems.addAt('missing', place, {
          detail: `a rejected line (${reason}) that was not kept as one`,
        })
      else
        this.#problems.addAt('damaged', place, {
          detail: `a line that was projected can't be read any more: ${detail}`,
        })
    }
    const more = this.#unlistedCount - this.#unlisted.length
    if (more > 0) this.#problems.addUnkept(isSame ? 'missing' : 'damaged', more)
    this.#unlisted = []
    this.#unlistedCount = 0
  }

  #passRejected(segmentId: number, byteOffset: number): void {
    this.#snapshot.rejected.takeBefore(segmentId, byteOffset, (row) => {
      const detail = `a line kept as rejected (${row.reason}), which is none`
      this.#problems.addAt('surplus', asPlace(row), { detail })
    })
  }

  #passWithin(place: Place, isDamaged: boolean): void {
    if (isDamaged) this.excuseTo(place)
    else this.passTo(place)
  }

  /** @returns false when it isn't kept: then it is new. */
  #findRejected(line: RejectedLine): boolean {
    const { segmentId, byteOffset, length, reason, excerpt } = line
    let found: RejectedRow | null = null
    this.#passRejected(segmentId, byteOffset)
    this.#snapshot.rejected.takeBefore(segmentId, byteOffset + 1, (row) => {
      found = row
    })
    if (found === null) {
      this.#unlistedCount++
      if (this.#unlisted.length < MAX_UNLISTED) this.#unlisted.push(line)
      return false
    }
    const differences = differingColumns({ length, reason, excerpt }, found)
    this.#problems.addDifferences('altered', line, differences, {
      detail: 'what was kept of a rejected line is not so',
    })
    return true
  }

  #matchRequest(event: RequestLogged, place: Place): void {
    let first: RequestRow | null = null
    const expected = this.#ids?.next().value
    this.#snapshot.rows.takeBefore(place.segmentId, place.byteOffset + 1, ({ id }) => {
      this.rows++
      if (first === null) {
        if (expected !== undefined && id !== expected) this.#misnumbered ??= { place, id, expected }
        first = this.#snapshot.row(id)
        this.#compare(event, place, first)
      } else {
        this.#problems.addAt('doubled', place, {
          detail: `row ${id} is of the same line as row ${first.id}`,
          row_id: id,
        })
      }
    })
    if (first !== null) return
    this.ratios.add(event)
    this.#problems.addAt('missing', place, { detail: 'a request without its row' })
  }

  #compare(event: RequestLogged, place: Place, row: RequestRow): void {
    const isCompleted = row.completed_segment_id !== null
    const expected = { ...requestColumns(event), ...(isCompleted ? {} : uncompletedColumns(event)) }
    this.#problems.addDifferences('altered', place, differingColumns(expected, row), {
      detail: `row ${row.id} is not what its line says`,
      row_id: row.id,
    })
    if (isCompleted) this.completions.passRequest(row, event)
    else this.ratios.add(event)
  }

  /** What the row itself says, where no line can. */
  #addOwnRatio({ segment_id, policy, input_tokens, output_tokens, success }: RequestRow): void {
    if (segment_id === null) return
    this.ratios.add({ policy, input_tokens, output_tokens, success: success === 1 })
  }
}

function keyOf({ segmentId, byteOffset }: Place): string {
  return `${segmentId}/${byteOffset}`
}

function asPlace(row: { segment_id: number; byte_offset: number }): Place {
  return { segmentId: row.segment_id, byteOffset: row.byte_offset }
}
