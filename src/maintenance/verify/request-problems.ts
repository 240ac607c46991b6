import type { Place } from '../../events/place.js'
import { OUTCOME_COLUMNS } from '../../store/outcome-columns.js'
import { requestDifferences } from '../../store/sqlite/compare/requests.js'
import type { Row } from '../../store/sqlite/compare/tables.js'
import type { Comparison } from './comparison.js'
import { differingColumns } from './verify-problems.js'

/** The columns that a completion overwrites. */
const OUTCOME: readonly string[] = OUTCOME_COLUMNS

/** The columns with the places of lines, and the id, which is compared separately. */
const PLACE_COLUMNS = ['id', 'segment_id', 'byte_offset', 'completed_segment_id', 'completed_byte_offset']

/** A row, and the one that it should be. */
export interface ComparedRow {
  found: Row
  expected: Row
}

/**
 * Reports the rows of `requests` that aren't what their lines say.
 *
 * @returns the first row that is right except for its id, which a replay would give another value.
 */
export function reportRequests(comparison: Comparison): ComparedRow | null {
  const { database, pendingCosts } = comparison.snapshot
  let moved: ComparedRow | null = null
  for (const difference of requestDifferences(database, pendingCosts.ofRequests)) {
    switch (difference.kind) {
      case 'missing':
        reportMissing(comparison, difference.expected)
        break
      case 'surplus':
        reportSurplus(comparison, difference.found)
        break
      case 'doubled':
        reportDoubled(comparison, difference)
        break
      case 'altered':
        reportAltered(comparison, difference)
        break
      case 'moved':
        moved ??= difference
        break
      default:
        difference satisfies never
    }
  }
  return moved
}

function reportMissing({ problems, stretches }: Comparison, expected: Row): void {
  const at = placeOf(expected)
  if (at === null || stretches.isExcluded(at)) return
  problems.addAt('missing', at, { detail: 'the request has no row' })
  const completedAt = placeOf(expected, 'completed_')
  if (completedAt === null) return
  problems.addAt('missing', completedAt, { detail: 'the completion is neither on a row nor held' })
}

function reportSurplus({ problems, stretches }: Comparison, found: Row): void {
  const at = placeOf(found)
  const row_id = Number(found['id'])
  if (at === null) {
    const detail = `row ${row_id} has an impossible place (${placeText(found)})`
    problems.addWithoutPlace('surplus', { detail, row_id })
  } else if (!stretches.isExcluded(at)) {
    const detail = `row ${row_id} claims to come from here, but there is no such line`
    problems.addAt('surplus', at, { detail, row_id })
  }
}

function reportDoubled({ problems }: Comparison, { found, expected }: ComparedRow): void {
  const at = placeOf(expected)
  if (at === null) return
  const detail = `row ${found['id']} comes from the same line as another row`
  problems.addAt('doubled', at, { detail, row_id: Number(found['id']) })
}

function reportAltered(comparison: Comparison, { found, expected }: ComparedRow): void {
  const { snapshot, problems, stretches } = comparison
  const at = placeOf(expected)
  if (at !== null && stretches.isExcluded(at)) return
  const row_id = Number(found['id'])
  const isSameCompletion =
    found['completed_segment_id'] === expected['completed_segment_id'] &&
    found['completed_byte_offset'] === expected['completed_byte_offset']
  const completedAt = placeOf(expected, 'completed_')
  const uncompared = [...PLACE_COLUMNS, ...snapshot.pendingCosts.ofRequests]
  const compared = Object.keys(expected).filter((column) => !uncompared.includes(column))
  const ofRequest = compared.filter((column) => !OUTCOME.includes(column))
  const ofOutcome = compared.filter((column) => OUTCOME.includes(column))
  const ofLine = isSameCompletion && completedAt === null ? [...ofRequest, ...ofOutcome] : ofRequest
  if (at !== null) {
    const detail = `row ${row_id} is not what its line says`
    problems.addDifferences('altered', at, differingColumns(expected, found, ofLine), { detail, row_id })
  }
  if (!isSameCompletion) reportOtherCompletion(comparison, { found, expected })
  else if (completedAt !== null) {
    const detail = `row ${row_id} is not what this completion made of it`
    const columns = differingColumns(expected, found, ofOutcome)
    problems.addDifferences('altered', completedAt, columns, { detail, row_id })
  }
}

/** Reports a row with another completion than expected, with none, or with one too many. */
function reportOtherCompletion(
  { snapshot, problems, stretches }: Comparison,
  { found, expected }: ComparedRow,
): void {
  const row_id = Number(found['id'])
  const [foundAt, expectedAt] = [placeOf(found, 'completed_'), placeOf(expected, 'completed_')]
  const isNowhere = found['completed_segment_id'] !== null || found['completed_byte_offset'] !== null
  if (foundAt === null && isNowhere) {
    const detail = `row ${row_id} was completed from an impossible place (${placeText(found, 'completed_')})`
    problems.addWithoutPlace('surplus', { detail, row_id })
    return
  }
  if (foundAt !== null && stretches.isExcluded(foundAt)) return
  if (expectedAt !== null) {
    problems.addAt('missing', expectedAt, { detail: `the completion is missing on row ${row_id}`, row_id })
  }
  if (foundAt === null) return
  // It may have changed the row before another completion overwrote it.
  const overwritten = `SELECT 1 FROM expected.superseded_completions
    WHERE segment_id = ? AND byte_offset = ? AND request_id = ?`
  if (snapshot.value(overwritten, foundAt.segmentId, foundAt.byteOffset, expected['id']) !== undefined) return
  const detail = `row ${row_id} claims to be completed from here, but there is no completion of it`
  problems.addAt('altered', foundAt, { detail, row_id })
}

/** The place of a row's request, or of its completion; null if there can't be such a place. */
function placeOf(row: Row, prefix: '' | 'completed_' = ''): Place | null {
  const [segmentId, byteOffset] = [row[`${prefix}segment_id`], row[`${prefix}byte_offset`]]
  if (!Number.isSafeInteger(segmentId) || !Number.isSafeInteger(byteOffset)) return null
  return { segmentId: segmentId as number, byteOffset: byteOffset as number }
}

function placeText(row: Row, prefix = ''): string {
  return `${String(row[`${prefix}segment_id`])}, ${String(row[`${prefix}byte_offset`])}`
}
