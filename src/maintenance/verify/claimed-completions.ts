import type { Place, PlacedCompletion } from '../../events/place.js'
import type { Known, KnownRequest } from '../../folds/changes.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import {
  countedThrough,
  STORED_COLUMNS,
  type StoredRow,
  storedRequestOf,
} from '../../store/sqlite/stored-row.js'

/** A row that was changed by a completion, according to the database. */
interface Claim {
  id: number
  correlation_id: string
  segment_id: number | null
  byte_offset: number | null
  success: number
}

/**
 * Accepts what the database says about which request each completion has changed. Where lines came
 * late, completions were applied to the requests that were there at that time, which only the
 * database knows; where lines are gone, so are requests that had completions. A completion that no
 * row claims must be held, or must have been overwritten.
 */
export class ClaimedCompletions {
  /** Completions that a later one of the same request has overwritten. */
  superseded = 0
  readonly #statements: ReturnType<typeof prepareStatements>
  readonly #request: ReturnType<typeof prepareRequest>
  readonly #countedThrough: number
  readonly #hasLateLines: (segmentId: number) => boolean

  /** @param hasLateLines whether lines of a segment were projected after those of a newer one. */
  constructor(reader: Database, expected: Database, hasLateLines: (segmentId: number) => boolean) {
    reader.exec(`
      CREATE TEMP TABLE claims (segment_id, byte_offset, id, PRIMARY KEY (segment_id, byte_offset)) WITHOUT ROWID;
      INSERT OR IGNORE INTO temp.claims
        SELECT completed_segment_id, completed_byte_offset, id FROM main.requests
        WHERE completed_segment_id IS NOT NULL AND completed_byte_offset IS NOT NULL ORDER BY id;
    `)
    expected.exec('CREATE INDEX requests_place ON requests(segment_id, byte_offset)')
    this.#statements = prepareStatements(reader)
    this.#request = prepareRequest(expected)
    this.#countedThrough = countedThrough(expected)
    this.#hasLateLines = hasLateLines
  }

  /** Returns the completions that change a request or are held, and what their fold must know. */
  choose(known: Known, completions: readonly PlacedCompletion[]) {
    const requests = new Map<string, readonly KnownRequest[]>()
    const chosen = completions.flatMap((one): PlacedCompletion[] => {
      const { segmentId, byteOffset } = one.place
      const claim = this.#statements.claim.get(segmentId, byteOffset)
      if (claim === undefined) return this.#isSuperseded(one) ? [] : [one]
      const row = this.#requestOf(claim, one)
      // The request's line is gone, or it never had one: then the row itself is reported.
      if (row === undefined) return claim.correlation_id === one.completion.correlation_id ? [] : [one]
      requests.set(one.completion.correlation_id, [
        { request: storedRequestOf(row, this.#countedThrough), newer: 0 },
      ])
      // What a completion leaves out stays as an earlier completion set it, which only the row
      // knows.
      const success = one.completion.success ?? claim.success !== 0
      return [{ ...one, completion: { ...one.completion, success } }]
    })
    return { known: { ...known, requests, later: new Map() }, completions: chosen }
  }

  #requestOf({ id, segment_id, byte_offset }: Claim, { completion }: PlacedCompletion) {
    const { ofPlace, unjournaled } = this.#request
    return segment_id === null
      ? unjournaled.get(completion.correlation_id, id)
      : ofPlace.get(completion.correlation_id, segment_id, byte_offset)
  }

  #isSuperseded({ completion, place }: PlacedCompletion): boolean {
    if (this.#statements.held.get(place.segmentId, place.byteOffset) !== undefined) return false
    const isSo = this.#hasSuccessor(completion.correlation_id, place)
    if (isSo) this.superseded++
    return isSo
  }

  /**
   * A database of an earlier version didn't keep overwritten completions: there, any later
   * completion, or a late one, may have overwritten it.
   */
  #hasSuccessor(correlationId: string, place: Place): boolean {
    const kept = this.#statements.superseded.get(place.segmentId, place.byteOffset)
    if (kept !== undefined) return kept.correlation_id === correlationId
    for (const last of this.#statements.completed.iterate(correlationId)) {
      const isLater =
        last.segment_id === place.segmentId
          ? last.byte_offset > place.byteOffset
          : last.segment_id > place.segmentId
      if (isLater || this.#hasLateLines(last.segment_id)) return true
    }
    return false
  }
}

function prepareStatements(reader: Database) {
  return {
    claim: reader.prepare<[number, number], Claim>(
      `SELECT r.id, r.correlation_id, r.segment_id, r.byte_offset, r.success
       FROM temp.claims c JOIN main.requests r ON r.id = c.id
       WHERE c.segment_id = ? AND c.byte_offset = ?`,
    ),
    held: reader.prepare<[number, number]>(
      'SELECT 1 FROM main.held_completions WHERE segment_id = ? AND byte_offset = ?',
    ),
    superseded: reader.prepare<[number, number], { correlation_id: string }>(
      `SELECT r.correlation_id FROM main.superseded_completions s JOIN main.requests r ON r.id = s.request_id
       WHERE s.segment_id = ? AND s.byte_offset = ?`,
    ),
    completed: reader.prepare<[string], { segment_id: number; byte_offset: number }>(
      `SELECT completed_segment_id AS segment_id, completed_byte_offset AS byte_offset FROM main.requests
       WHERE correlation_id = ? AND completed_segment_id IS NOT NULL`,
    ),
  }
}

function prepareRequest(expected: Database) {
  const named = `SELECT ${STORED_COLUMNS} FROM requests WHERE correlation_id = ?`
  return {
    ofPlace: expected
      .prepare<[string, number | null, number | null], StoredRow>(
        `${named} AND segment_id = ? AND byte_offset = ?`,
      )
      .raw(),
    unjournaled: expected
      .prepare<[string, number], StoredRow>(`${named} AND segment_id IS NULL AND id = ?`)
      .raw(),
  }
}
