import type { Database } from '../connection/database.js'
import { columnsOf, type Row } from './tables.js'

/**
 * How a row of `requests` differs from what it should be.
 *
 * - `missing`: no row has the place.
 * - `surplus`: no row should have the place.
 * - `doubled`: another row has the place already.
 * - `altered`: columns other than the id differ.
 * - `moved`: only the id differs.
 */
export type RequestDifference =
  | { kind: 'missing'; expected: Row }
  | { kind: 'surplus'; found: Row }
  | { kind: 'doubled'; found: Row; expected: Row }
  | { kind: 'altered' | 'moved'; found: Row; expected: Row }

interface Suspect {
  id: number
  expected_id: number | null
  is_right: number
  is_same: number
}

/**
 * Compares the rows of the attached database `expected` with those of `main`, by their places.
 * Nearly all rows with the same id have the same place and the same values. One pass finds these,
 * so that only the others are sorted.
 *
 * @param ignored columns that may differ, besides the id.
 */
export function* requestDifferences(
  database: Database,
  ignored: readonly string[],
): Generator<RequestDifference> {
  const columns = columnsOf(database, 'requests').filter(
    (column) => column !== 'id' && !ignored.includes(column),
  )
  const list = (alias: string) => columns.map((column) => `${alias}.${column}`).join(', ')
  database.exec(`
    CREATE TEMP TABLE found_suspects (id INTEGER PRIMARY KEY, segment_id, byte_offset);
    CREATE TEMP TABLE expected_suspects (id INTEGER PRIMARY KEY, segment_id, byte_offset);
    INSERT INTO temp.found_suspects
      SELECT f.id, f.segment_id, f.byte_offset FROM main.requests f LEFT JOIN expected.requests e ON e.id = f.id
      WHERE (${list('f')}) IS NOT (${list('e')});
    INSERT INTO temp.expected_suspects
      SELECT e.id, e.segment_id, e.byte_offset FROM temp.found_suspects s JOIN expected.requests e ON e.id = s.id;
  `)
  if (hasUnmatchedIds(database)) {
    database.exec(`
      INSERT INTO temp.expected_suspects
        SELECT e.id, e.segment_id, e.byte_offset FROM expected.requests e LEFT JOIN main.requests f ON f.id = e.id
        WHERE f.id IS NULL;
    `)
  }
  const isAny =
    'SELECT EXISTS (SELECT 1 FROM temp.found_suspects) OR EXISTS (SELECT 1 FROM temp.expected_suspects)'
  if (numberOf(database, isAny) === 0) return
  // A place has one expected row, but `main` may have several rows with it.
  database.exec(`
    CREATE TEMP TABLE expected_places AS SELECT segment_id, byte_offset, id FROM expected.requests;
    CREATE INDEX temp.expected_places_place ON expected_places(segment_id, byte_offset);
    CREATE INDEX temp.found_suspects_place ON found_suspects(segment_id, byte_offset);
  `)
  const expectedRow = rowOf(database, 'expected')
  const foundRow = rowOf(database, 'main')
  // The suspects in `main` in the order of their places, each with the expected row of its place
  // or, if it has no place, of its id.
  const suspects = database.prepare<[], Suspect>(
    `SELECT s.id, e.id AS expected_id, e.id IS NOT NULL AND q.id IS NULL AS is_right,
       (${list('f')}) IS (${list('e')}) AS is_same
     FROM temp.found_suspects s JOIN main.requests f ON f.id = s.id
     LEFT JOIN temp.expected_places p ON p.segment_id = s.segment_id AND p.byte_offset = s.byte_offset
     LEFT JOIN expected.requests e
       ON e.id = CASE WHEN s.segment_id IS NULL THEN s.id ELSE p.id END
         AND (e.segment_id IS NULL) = (s.segment_id IS NULL)
     LEFT JOIN temp.expected_suspects q ON q.id = e.id
     ORDER BY s.segment_id, s.byte_offset, s.id`,
  )
  let paired: number | null = null
  for (const { id, expected_id, is_right, is_same } of suspects.iterate()) {
    const found = foundRow(id)
    const isPairedAlready = expected_id !== null && expected_id === paired
    paired = expected_id
    if (expected_id === null) {
      yield { kind: 'surplus', found }
      continue
    }
    const expected = expectedRow(expected_id)
    // Another row with this place is as it should be, or was paired first.
    if (is_right === 1 || isPairedAlready) yield { kind: 'doubled', found, expected }
    else yield { kind: is_same === 1 ? 'moved' : 'altered', found, expected }
  }
  const missing = database.prepare<[], number>(
    `SELECT q.id FROM temp.expected_suspects q
     WHERE NOT EXISTS (SELECT 1 FROM temp.found_suspects s
         WHERE s.segment_id = q.segment_id AND s.byte_offset = q.byte_offset)
       AND NOT EXISTS (SELECT 1 FROM temp.found_suspects s
         WHERE q.segment_id IS NULL AND s.segment_id IS NULL AND s.id = q.id)
     ORDER BY q.segment_id, q.byte_offset`,
  )
  for (const id of missing.pluck().iterate()) yield { kind: 'missing', expected: expectedRow(id) }
}

function rowOf(database: Database, schema: 'main' | 'expected'): (id: number) => Row {
  const statement = database.prepare<[number], Row>(`SELECT * FROM ${schema}.requests WHERE id = ?`)
  return (id) => {
    const row = statement.get(id)
    if (row === undefined) throw new Error('unreachable: one transaction sees one table')
    return row
  }
}

/**
 * Whether there are expected ids that no row of `main` has. If so, there are more expected ids than
 * rows of `main` with an expected id.
 */
function hasUnmatchedIds(database: Database): boolean {
  const found = numberOf(
    database,
    `SELECT (SELECT count(*) FROM main.requests) - (SELECT count(*) FROM temp.found_suspects s
       WHERE NOT EXISTS (SELECT 1 FROM expected.requests e WHERE e.id = s.id))`,
  )
  return numberOf(database, 'SELECT count(*) FROM expected.requests') !== found
}

function numberOf(database: Database, sql: string): number {
  return database.prepare<[], number>(sql).pluck().get() ?? 0
}
