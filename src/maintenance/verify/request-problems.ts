import type { Place } from '../../events/place.js'
import { OUTCOME_COLUMNS } from '../../store/outcome-columns.js'
import { RequestComparison, type RequestDifference } from '../../store/sqlite/compare/requests.js'
import type { Row } from '../../store/sqlite/compare/tables.js'
import type { Snapshot } from './snapshot.js'
import type { Stretches } from './stretches.js'
import { differingColumns, type ProblemList } from './verify-problems.js'

/** The columns that a completion overwrites. */
const OUTCOME: readonly string[] = OUTCOME_COLUMNS

/** The columns with the places of lines, and the id, which is compared separately. */
const PLACE_COLUMNS = ['id', 'segment_id', 'byte_offset', 'completed_segment_id', 'completed_byte_offset']

interface RequestProblemsOptions {
  snapshot: Snapshot
  stretches: Stretches
  problems: ProblemList
}

/** Reports the rows of `requests` that aren't what their lines say. */
export class RequestProblems {
  readonly #options: RequestProblemsOptions
  /** The first row whose id isn't the one that a replay gives it. */
  moved: { found: Row; expected: Row } | null = null

  constructor(options: RequestProblemsOptions) {
    this.#options = options
  }

  report(): void {
    const { database, pendingCosts } = this.#options.snapshot
    for (const difference of new RequestComparison(database, pendingCosts.ofRequests).differences()) {
      this.#report(difference)
    }
  }

  #report(difference: RequestDifference): void {
    switch (difference.kind) {
      case 'missing':
        this.#reportMissing(difference.expected)
        break
      case 'surplus':
        this.#reportSurplus(difference.found)
        break
      case 'doubled':
        this.#reportDoubled(difference.found, difference.expected)
        break
      case 'altered':
        this.#reportAltered(difference.found, difference.expected)
        break
      case 'moved':
        this.moved ??= difference
        break
      default:
        difference satisfies never
    }
  }

  #reportMissing(expected: Row): void {
    const { problems, stretches } = this.#options
    const at = placeOf(expected)
    if (at === null || isExcluded(stretches, at)) return
    problems.addAt('missing', at, { detail: 'the request has no row' })
    const completedAt = completedPlaceOf(expected)
    if (completedAt === null) return
    const detail = 'the completion is neither on a row nor held'
    problems.addAt('missing', completedAt, { detail })
  }

  #reportSurplus(found: Row): void {
    const { problems, stretches } = this.#options
    const at = placeOf(found)
    const { id } = found
    if (at === null) {
      const { segment_id, byte_offset } = found
      const detail = `row ${id} has an impossible place (${String(segment_id)}, ${String(byte_offset)})`
      problems.add({ kind: 'surplus', segment: null, byte_offset: null, detail, row_id: Number(id) })
    } else if (!isExcluded(stretches, at)) {
      const detail = `row ${id} claims to come from here, but there is no such line`
      problems.addAt('surplus', at, { detail, row_id: Number(id) })
    }
  }

  #reportDoubled(found: Row, expected: Row): void {
    const at = placeOf(expected)
    if (at === null) return
    const detail = `row ${found['id']} comes from the same line as another row`
    this.#options.problems.addAt('doubled', at, { detail, row_id: Number(found['id']) })
  }

  #reportAltered(found: Row, expected: Row): void {
    const { problems, stretches } = this.#options
    const at = placeOf(expected)
    if (at !== null && isExcluded(stretches, at)) return
    const id = Number(found['id'])
    const isSameCompletion =
      found['completed_segment_id'] === expected['completed_segment_id'] &&
      found['completed_byte_offset'] === expected['completed_byte_offset']
    const completedAt = completedPlaceOf(expected)
    const { ofRequests: pending } = this.#options.snapshot.pendingCosts
    const compared = Object.keys(expected).filter(
      (column) => !PLACE_COLUMNS.includes(column) && !pending.includes(column),
    )
    const ofRequest = compared.filter((column) => !OUTCOME.includes(column))
    const ofOutcome = compared.filter((column) => OUTCOME.includes(column))
    const ofLine = isSameCompletion && completedAt === null ? [...ofRequest, ...ofOutcome] : ofRequest
    if (at !== null) {
      problems.addDifferences('altered', at, differingColumns(expected, found, ofLine), {
        detail: `row ${id} is not what its line says`,
        row_id: id,
      })
    }
    if (!isSameCompletion) this.#reportOtherCompletion(found, expected)
    else if (completedAt !== null) {
      problems.addDifferences('altered', completedAt, differingColumns(expected, found, ofOutcome), {
        detail: `row ${id} is not what this completion made of it`,
        row_id: id,
      })
    }
  }

  /** Reports a row with another completion than expected, with none, or with one too many. */
  #reportOtherCompletion(found: Row, expected: Row): void {
    const { problems, stretches } = this.#options
    const id = Number(found['id'])
    const [foundAt, expectedAt] = [completedPlaceOf(found), completedPlaceOf(expected)]
    const isNowhere = found['completed_segment_id'] !== null || found['completed_byte_offset'] !== null
    if (foundAt === null && isNowhere) {
      const place = `${String(found['completed_segment_id'])}, ${String(found['completed_byte_offset'])}`
      const detail = `row ${id} was completed from an impossible place (${place})`
      problems.add({ kind: 'surplus', segment: null, byte_offset: null, detail, row_id: id })
      return
    }
    if (foundAt !== null && isExcluded(stretches, foundAt)) return
    if (expectedAt !== null) {
      const detail = `the completion is missing on row ${id}`
      problems.addAt('missing', expectedAt, { detail, row_id: id })
    }
    if (foundAt === null || this.#wasOverwritten(foundAt, expected)) return
    const detail = `row ${id} claims to be completed from here, but there is no completion of it`
    problems.addAt('altered', foundAt, { detail, row_id: id })
  }

  /** Whether the completion changed the row before another one overwrote it. */
  #wasOverwritten({ segmentId, byteOffset }: Place, { id }: Row): boolean {
    const sql = `SELECT 1 FROM expected.superseded_completions
      WHERE segment_id = ? AND byte_offset = ? AND request_id = ?`
    return this.#options.snapshot.database.prepare(sql).get(segmentId, byteOffset, id) !== undefined
  }
}

function isExcluded(stretches: Stretches, { segmentId, byteOffset }: Place): boolean {
  return stretches.isExcluded(segmentId, byteOffset)
}

function placeOf({ segment_id, byte_offset }: Row): Place | null {
  return asPlace(segment_id, byte_offset)
}

function completedPlaceOf({ completed_segment_id, completed_byte_offset }: Row): Place | null {
  return asPlace(completed_segment_id, completed_byte_offset)
}

function asPlace(segmentId: unknown, byteOffset: unknown): Place | null {
  if (!Number.isSafeInteger(segmentId) || !Number.isSafeInteger(byteOffset)) return null
  return { segmentId: segmentId as number, byteOffset: byteOffset as number }
}
