import SQLite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { migrate, packagedMigrations } from '../../../../src/store/sqlite/schema/migrations.js'

const before = packagedMigrations().filter(({ fileName }) => fileName < '20261127000000')

/** Rows as [correlation_id, whether a completion changed it]. */
function versionAfter(rows: readonly (readonly [string, boolean])[]): unknown {
  const database = new SQLite(':memory:')
  migrate(database, 'memory', before)
  const insert = database.prepare(
    `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success, segment_id, byte_offset,
       completed_segment_id, completed_byte_offset) VALUES (?, '2026-11-22T10:00:00.000Z', 'm', 1, 1, 20261122000, ?, ?, ?)`,
  )
  for (const [index, [id, isCompleted]] of rows.entries()) {
    insert.run(id, index, isCompleted ? 20261122000 : null, isCompleted ? 1000 + index : null)
  }
  migrate(database, 'memory')
  return database.prepare("SELECT version FROM projections WHERE name = 'requests'").pluck().get()
}

test.for([
  ['no rows', [], 2],
  [
    'completed rows, each with an id of its own',
    [
      ['a', true],
      ['b', true],
    ],
    2,
  ],
  [
    'rows that share an id, and none is completed',
    [
      ['a', false],
      ['a', false],
      ['b', true],
    ],
    2,
  ],
  [
    'rows that share an id, and one is completed',
    [
      ['a', false],
      ['b', false],
      ['a', true],
    ],
    1,
  ],
] as const)('a database is asked for a replay only where its rows could differ: %s', ([, rows, version]) => {
  expect(versionAfter(rows)).toBe(version)
})

test('what earlier prunes left is kept: completions left out, overwritten ones, and that late lines came', () => {
  const database = new SQLite(':memory:')
  migrate(database, 'memory', before)
  database.exec(`
    INSERT INTO pruned_segments VALUES (20261121000);
    UPDATE unjournaled_requests SET last_id = 1;
    INSERT INTO pruned_completions VALUES ('gone', 20261122000, 50);
    INSERT INTO carried_completions (segment_id, byte_offset, correlation_id, success) VALUES (20261121000, 7, 'a', 0);
    INSERT INTO requests (id, correlation_id, timestamp, model, latency_ms, success, segment_id, byte_offset,
      completed_segment_id, completed_byte_offset)
    VALUES (2, 'a', '2026-11-22T10:00:00.000Z', 'm', 1, 0, 20261122000, 0, 20261122000, 99),
      (4, 'b', '2026-11-22T10:00:00.000Z', 'm', 1, 0, 20261122000, 200, NULL, NULL)`)
  migrate(database, 'memory')
  const all = (sql: string) => database.prepare(sql).all()
  expect(all('SELECT * FROM pruned_completion_places')).toEqual([
    { correlation_id: 'gone', segment_id: 20261122000, byte_offset: 50, with_earlier: 1 },
  ])
  expect(all('SELECT * FROM superseded_completions')).toEqual([
    { segment_id: 20261121000, byte_offset: 7, request_id: 2, success: 0 },
  ])
  expect(all('SELECT * FROM pruned_segments')).toEqual([{ through_segment_id: 20261121000, late_lines: 1 }])
})
