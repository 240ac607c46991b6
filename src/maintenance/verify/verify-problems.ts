import type { Place } from '../../events/place.js'
import { segmentOfId } from '../../journal/segments.js'
import { isSameValue, type Row, reportedValue } from '../../store/sqlite/compare/tables.js'

/**
 * The kinds of problems that `verify` finds.
 *
 * - `missing`: the result of a line is missing: a row, a change of a row, or a rejected line that
 *   is kept.
 * - `doubled`: a second row with the same place or the same id.
 * - `altered`: a row differs from its line.
 * - `surplus`: a row for which there is no line at its place.
 * - `damaged`: a line can't be read any more, or never could and fails its checksum.
 * - `gone`, `truncated`, `swapped`, `unreadable`: a segment that is not what was projected.
 * - `tampered`: a segment is not what was sealed; `chain`: the manifest itself is damaged.
 * - `unpruned`: a segment was pruned, according to the database, but its file is still there.
 * - `counts`: what the database has about a segment is wrong. `ratio`: so is a token ratio.
 * - `rollup`: a roll-up isn't the sum of its rows. `counter`: a counter isn't what was counted.
 */
export type ProblemKind =
  | 'missing'
  | 'doubled'
  | 'altered'
  | 'surplus'
  | 'damaged'
  | 'gone'
  | 'truncated'
  | 'swapped'
  | 'unreadable'
  | 'tampered'
  | 'chain'
  | 'unpruned'
  | 'counts'
  | 'ratio'
  | 'rollup'
  | 'counter'

export interface VerifyProblem {
  kind: ProblemKind
  /** Null: the problem isn't about a segment. */
  segment: string | null
  byte_offset: number | null
  /** One sentence for people. */
  detail: string
  /** The id of the row in `requests` that it is about. */
  row_id?: number
  /** What differs: the journal's value and the database's. */
  columns?: DifferingColumn[]
}

export interface DifferingColumn {
  column: string
  journal: unknown
  database: unknown
}

/** A problem without its kind and place. */
type ProblemDetails = Omit<VerifyProblem, 'kind' | 'segment' | 'byte_offset'>

/** Each of these causes many others, so they are kept separately and listed first. */
const OF_SEGMENTS: ReadonlySet<ProblemKind> = new Set([
  'gone',
  'truncated',
  'swapped',
  'unreadable',
  'tampered',
  'chain',
  'unpruned',
])

/** Whatever isn't one of these says that rows are wrong, and so sums over them are wrong too. */
const BESIDE_ROWS = new Set<ProblemKind>(['tampered', 'chain', 'counts', 'ratio', 'rollup', 'counter'])

const MAX_OF_EACH = 500

/** Counts every problem and keeps the first of them. */
export class ProblemList {
  readonly #counts = new Map<ProblemKind, number>()
  readonly #ofSegments: VerifyProblem[] = []
  readonly #others: VerifyProblem[] = []

  add(problem: VerifyProblem): void {
    this.#counts.set(problem.kind, this.count(problem.kind) + 1)
    const list = OF_SEGMENTS.has(problem.kind) ? this.#ofSegments : this.#others
    if (list.length < MAX_OF_EACH) list.push(problem)
  }

  addWithoutPlace(kind: ProblemKind, what: ProblemDetails): void {
    this.add({ kind, segment: null, byte_offset: null, ...what })
  }

  addAt(kind: ProblemKind, { segmentId, byteOffset }: Place, what: ProblemDetails): void {
    this.add({ kind, segment: nameOfSegment(segmentId), byte_offset: byteOffset, ...what })
  }

  /** Adds a problem if any columns differ. */
  addDifferences(
    kind: ProblemKind,
    place: Place,
    columns: readonly DifferingColumn[],
    what: ProblemDetails,
  ): void {
    if (columns.length > 0) this.addAt(kind, place, { ...what, columns: [...columns] })
  }

  get hasRowProblems(): boolean {
    return [...this.#counts.keys()].some((kind) => !BESIDE_ROWS.has(kind))
  }

  count(kind: ProblemKind): number {
    return this.#counts.get(kind) ?? 0
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** The problems that were kept: those of segments first, then the others by place. */
  get kept(): VerifyProblem[] {
    return [...this.#ofSegments, ...this.#others.sort(byPlace)]
  }
}

/** The columns in which two rows differ. A row that isn't there has nulls. */
export function differingColumns(
  expected: Row | null,
  found: Row | null,
  columns: readonly string[] = Object.keys(expected ?? found ?? {}),
): DifferingColumn[] {
  return columns.flatMap((column) => {
    const [journal, database] = [expected?.[column] ?? null, found?.[column] ?? null]
    return isSameValue(journal, database)
      ? []
      : [{ column, journal: reportedValue(journal), database: reportedValue(database) }]
  })
}

function byPlace(a: VerifyProblem, b: VerifyProblem): number {
  const [left, right] = [a.segment ?? '\uffff', b.segment ?? '\uffff']
  if (left !== right) return left < right ? -1 : 1
  return (a.byte_offset ?? 0) - (b.byte_offset ?? 0)
}

/** Names a segment, even if its id is impossible. */
function nameOfSegment(id: number): string {
  return segmentOfId(id)?.name ?? `segment ${id}`
}
