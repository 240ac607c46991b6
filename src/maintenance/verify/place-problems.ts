import type { Place } from '../../events/place.js'
import { type ComparedTable, differencesOf, type Row } from '../../store/sqlite/compare/tables.js'
import type { Snapshot } from './snapshot.js'
import type { Stretches } from './stretches.js'
import { differingColumns, type ProblemList } from './verify-problems.js'

interface PlaceProblemsOptions {
  snapshot: Snapshot
  stretches: Stretches
  problems: ProblemList
  /** Whether the database was believed about which row each completion changed. */
  isClaimed: boolean
}

const OF_PLACES = { key: ['segment_id', 'byte_offset'] } as const

/**
 * The columns of a position that may differ: they are about the file that was read last, and late
 * lines.
 */
const OF_FILES = ['device', 'inode', 'caught_up_at', 'late_lines', 'projected_crc32']

/** Reports rejected lines, completions and positions that aren't what the journal gives. */
export class PlaceProblems {
  readonly #options: PlaceProblemsOptions

  constructor(options: PlaceProblemsOptions) {
    this.#options = options
  }

  reportRejected(): void {
    const { problems, stretches } = this.#options
    for (const { at, expected, found } of this.#differences({ ...OF_PLACES, name: 'rejected_lines' })) {
      if (expected === null) {
        if (stretches.isExcluded(at.segmentId, at.byteOffset)) continue
        const detail = `a line is kept as rejected (${String(found?.['reason'])}), but isn't rejected`
        problems.addAt('surplus', at, { detail })
      } else if (found !== null) {
        problems.addDifferences('altered', at, differingColumns(expected, found), {
          detail: 'what is kept about a rejected line is wrong',
        })
      } else if (stretches.altered.has(at.segmentId)) {
        const detail = `a line that was projected can't be read any more: ${String(expected['detail'])}`
        problems.addAt('damaged', at, { detail })
      } else {
        const detail = `a rejected line (${String(expected['reason'])}) is not kept as one`
        problems.addAt('missing', at, { detail })
      }
    }
  }

  reportPrices(): void {
    const { problems, stretches } = this.#options
    for (const [name, what] of [
      ['prices', 'price'],
      ['exchange_rates', 'exchange rate'],
    ] as const) {
      for (const { at, expected, found } of this.#differences({ ...OF_PLACES, name })) {
        if (expected !== null && found !== null) {
          const detail = `the stored ${what} is not what this line says`
          problems.addDifferences('altered', at, differingColumns(expected, found), { detail })
        } else if (expected !== null) {
          problems.addAt('missing', at, { detail: `the ${what} of this line is not stored` })
        } else if (!stretches.isExcluded(at.segmentId, at.byteOffset)) {
          problems.addAt('surplus', at, { detail: `the stored ${what} is in no line` })
        }
      }
    }
  }

  /** @returns how many completions are held both according to the journal and in the database. */
  reportHeld(): number {
    const { problems, stretches } = this.#options
    let missing = 0
    for (const { at, expected, found } of this.#differences({ ...OF_PLACES, name: 'held_completions' })) {
      if (found === null) {
        missing++
        // A row that claims this completion is reported itself.
        if (this.#isClaimed(at)) continue
        problems.addAt('missing', at, { detail: 'the completion is neither on a row nor held' })
      } else if (expected !== null) {
        problems.addDifferences('altered', at, differingColumns(expected, found), {
          detail: 'the held completion is not what this line says',
        })
      } else if (!stretches.isExcluded(at.segmentId, at.byteOffset)) this.#reportWronglyHeld(at)
    }
    this.#reportHeldBesideRequest()
    return this.#count('SELECT count(*) FROM expected.held_completions') - missing
  }

  /** Reports completions that are held although their request is there, whatever was claimed. */
  #reportHeldBesideRequest(): void {
    const { snapshot, problems, isClaimed } = this.#options
    if (!isClaimed) return
    const rows = snapshot.database.prepare<[], { segment_id: number; byte_offset: number }>(
      `SELECT h.segment_id, h.byte_offset FROM main.held_completions h
       JOIN expected.held_completions e ON e.segment_id = h.segment_id AND e.byte_offset = h.byte_offset
       WHERE EXISTS (SELECT 1 FROM main.requests r WHERE r.correlation_id = h.correlation_id
         AND r.segment_id IS NOT NULL AND (h.attempt IS NULL OR r.attempt = h.attempt))`,
    )
    for (const { segment_id, byte_offset } of rows.iterate()) {
      const at = { segmentId: segment_id, byteOffset: byte_offset }
      problems.addAt('missing', at, { detail: 'the completion is held, although its request is there' })
    }
  }

  /** Reports overwritten completions, unless the database was believed about them. */
  reportSuperseded(): void {
    const { snapshot, problems, isClaimed } = this.#options
    if (isClaimed) return
    const table = { ...OF_PLACES, name: 'superseded_completions' }
    for (const { at, expected, found } of this.#differences(table)) {
      if (expected === null) {
        problems.addAt('surplus', at, {
          detail: 'a completion is kept as overwritten, but no other one has overwritten it',
        })
      } else if (found !== null) {
        // A row from before the journal has no line with its own outcome.
        const hasLine = this.#isJournaled(found['request_id'])
        const columns = differingColumns(expected, found)
        problems.addDifferences(
          'altered',
          at,
          columns.filter(({ column }) => hasLine || column !== 'success'),
          { detail: 'what is kept about an overwritten completion is wrong' },
        )
      } else if (!snapshot.wasUpgraded) {
        problems.addAt('missing', at, { detail: 'an overwritten completion is not kept' })
      }
    }
  }

  /**
   * Reports places of completions of pruned requests at which the journal has no such completion: a
   * replay would leave out others there.
   *
   * @param seen the places of those that the journal has, as `placeKey` gives them.
   */
  reportPrunedCompletions(seen: ReadonlySet<string>): void {
    const { snapshot, stretches, problems } = this.#options
    const rows = snapshot.database.prepare<[], { segment_id: number; byte_offset: number }>(
      'SELECT segment_id, byte_offset FROM main.pruned_completion_places ORDER BY segment_id, byte_offset',
    )
    for (const { segment_id, byte_offset } of rows.iterate()) {
      const at = { segmentId: segment_id, byteOffset: byte_offset }
      if (seen.has(placeKey(at)) || stretches.isExcluded(segment_id, byte_offset)) continue
      problems.addAt('surplus', at, {
        detail: 'a completion of a pruned request is kept, but the journal has no completion here',
      })
    }
  }

  reportPositions(): void {
    const { snapshot, stretches, problems, isClaimed } = this.#options
    const table = { name: 'journal_segments', key: ['id'], ignored: this.#ignoredOfPositions() }
    for (const { expected, found } of differencesOf(snapshot.database, table)) {
      const id = Number((expected ?? found)?.['id'])
      // If the bytes changed, so do the counts.
      if (expected === null || stretches.altered.has(id) || snapshot.pruned.has(id)) continue
      const columns = differingColumns(expected, found).filter(
        ({ column }) => !table.ignored.includes(column) && !(isClaimed && IRREGULAR.includes(column)),
      )
      problems.addDifferences('counts', { segmentId: id, byteOffset: 0 }, columns, {
        detail: 'what journal_segments has about the segment is wrong',
      })
    }
  }

  /** After a prune, irregular completions of requests that are gone still count. */
  #ignoredOfPositions(): string[] {
    const { snapshot, isClaimed } = this.#options
    const areIrregularOurs = !isClaimed && snapshot.pruned.isNone && !snapshot.wasUpgraded
    return [...OF_FILES, ...(areIrregularOurs ? [] : IRREGULAR)]
  }

  #reportWronglyHeld(at: Place): void {
    const { problems } = this.#options
    const id = this.#claimant(at)
    if (id !== undefined) {
      const detail = `the completion is held, although row ${id} says that it was applied`
      problems.addAt('surplus', at, { detail, row_id: id })
    } else if (this.#isOverwritten(at)) {
      const detail = 'the completion is held, although its request is there'
      problems.addAt('missing', at, { detail })
    } else if (!this.#isExpectedOnARow(at)) {
      problems.addAt('surplus', at, { detail: 'a completion is held, but the journal has none here' })
    }
    // Otherwise the row that lacks it is reported.
  }

  #isClaimed(at: Place): boolean {
    return this.#claimant(at) !== undefined
  }

  #claimant({ segmentId, byteOffset }: Place): number | undefined {
    return this.#options.snapshot.database
      .prepare<[number, number], number>(
        'SELECT id FROM main.requests WHERE completed_segment_id = ? AND completed_byte_offset = ? ORDER BY id',
      )
      .pluck()
      .get(segmentId, byteOffset)
  }

  #isExpectedOnARow({ segmentId, byteOffset }: Place): boolean {
    const sql = 'SELECT 1 FROM expected.requests WHERE completed_segment_id = ? AND completed_byte_offset = ?'
    return this.#options.snapshot.database.prepare(sql).get(segmentId, byteOffset) !== undefined
  }

  #isOverwritten({ segmentId, byteOffset }: Place): boolean {
    const sql = 'SELECT 1 FROM expected.superseded_completions WHERE segment_id = ? AND byte_offset = ?'
    return this.#options.snapshot.database.prepare(sql).get(segmentId, byteOffset) !== undefined
  }

  *#differences(table: ComparedTable): Generator<{ at: Place; expected: Row | null; found: Row | null }> {
    for (const difference of differencesOf(this.#options.snapshot.database, table)) {
      const row = difference.expected ?? difference.found
      const at = { segmentId: Number(row?.['segment_id']), byteOffset: Number(row?.['byte_offset']) }
      yield { ...difference, at }
    }
  }

  #isJournaled(id: unknown): boolean {
    const sql = 'SELECT 1 FROM main.requests WHERE id = ? AND segment_id IS NOT NULL'
    return this.#options.snapshot.database.prepare(sql).get(id) !== undefined
  }

  #count(sql: string): number {
    return this.#options.snapshot.database.prepare<[], number>(sql).pluck().get() ?? 0
  }
}

const IRREGULAR = ['repeated_completions', 'ambiguous_completions']

/** Returns a place as a text, for sets. */
export function placeKey({ segmentId, byteOffset }: Place): string {
  return `${segmentId}/${byteOffset}`
}
