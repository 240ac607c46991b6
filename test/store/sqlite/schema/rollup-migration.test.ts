import SQLite from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SUMS } from '../../../../src/folds/sums/rollup-cells.js'
import { setRollupLabels } from '../../../../src/store/sqlite/rollups/rollup-labels.js'
import { migrate, packagedMigrations } from '../../../../src/store/sqlite/schema/migrations.js'
import { countRows } from '../../../support/count-rows.js'
import { findRollupDifferences } from '../../../support/rollup-checker.js'
import { runs } from '../../../support/runs.js'

const ROLLUPS = '20261122000003_rollups.sql'

/** All but the one that fills the roll-ups, and what comes after. */
const before = packagedMigrations().filter(({ fileName }) => fileName < ROLLUPS)

/** Longer than what a key of the totals holds. */
const LONG = 'é'.repeat(65)

const columns = {
  timestamp: fc.constantFrom(
    '2026-11-22T10:59:59.999Z',
    '2026-11-22T11:00:00.000Z',
    '2026-11-23T00:00:00.000Z',
    'yesterday',
  ),
  model: fc.constantFrom('a', 'A', 'b"\\ü', 'x'.repeat(128)),
  provider: fc.constantFrom(null, 'p', ''),
  policy: fc.constantFrom(null, 'chat'),
  streaming: fc.constantFrom(0, 1),
  input_tokens: fc.oneof(fc.nat(1_000_000), fc.constantFrom(null, 9e18, 1.9, 'many', '7 of them')),
  output_tokens: fc.option(fc.nat(1_000_000), { nil: null }),
  stream_duration_ms: fc.constantFrom(null, null, 5),
  cost_sats: fc.option(
    fc.oneof(
      fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
      fc.constantFrom(1e300, -1e300, Infinity, -Infinity, 0.1, 1e-9, 5e-10),
    ),
    { nil: null },
  ),
  latency_ms: fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1), fc.constantFrom(2 ** 32, 2 ** 40)),
  success: fc.constantFrom(0, 1),
  labels: fc.constantFrom(
    null,
    '{}',
    '{"tier":"local","team":"x"}',
    '{"tier":"\\u0001\\"é\u2028"}',
    '{"tier":7}',
    'no JSON',
    '[]',
  ),
}
const row = fc.record(columns)
const longNamedRow = fc.record({
  ...columns,
  model: fc.constantFrom('a', LONG, `\0"\u007f\u2028${LONG}`),
  provider: fc.constantFrom(null, 'p', `#${LONG}`),
  policy: fc.constantFrom('chat', `=${LONG}`),
  labels: fc.constantFrom(null, '{"tier":"local"}', `{"tier":"${LONG}"}`),
})

/** As the migration counted tokens: counters never fall, whatever the limits of sums are now. */
function countedTokens(value: unknown): number {
  const number = typeof value === 'string' ? Number(/^\d*/.exec(value)?.[0]) : Number(value ?? 0)
  return Math.min(Math.trunc(number), Number.MAX_SAFE_INTEGER)
}

function insertRows(database: SQLite.Database, rows: readonly object[]): void {
  const insert = database.prepare(
    `INSERT INTO requests (correlation_id, timestamp, model, provider, policy, streaming, input_tokens, output_tokens,
       cost_sats, latency_ms, success, labels, stream_duration_ms)
     VALUES ('x', @timestamp, @model, @provider, @policy, @streaming, @input_tokens, @output_tokens, @cost_sats, @latency_ms,
       @success, @labels, @stream_duration_ms)`,
  )
  for (const values of rows) insert.run(values)
}

test('fills the roll-ups and counters as the fold of the same rows would have', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(row, longNamedRow), { maxLength: 30 }), (rows) => {
      const database = new SQLite(':memory:')
      migrate(database, 'memory', before)
      insertRows(database, rows)
      migrate(database, 'memory')
      expect(findRollupDifferences(database)).toEqual([])
      const counted = database.prepare(
        `SELECT sum(requests) AS requests, sum(failures) AS failures, sum(input_tokens) AS input,
           (SELECT sum(requests) FROM latency_counters WHERE le_ms <= 250) AS fast FROM request_counters`,
      )
      const count = (isCounted: (row: (typeof rows)[number]) => boolean) =>
        BigInt(rows.filter(isCounted).length)
      if (rows.length > 0) {
        expect(counted.safeIntegers().get()).toEqual({
          requests: BigInt(rows.length),
          failures: count(({ success }) => success === 0),
          input: rows.reduce((sum, { input_tokens }) => sum + BigInt(countedTokens(input_tokens)), 0n),
          fast: count(({ latency_ms }) => latency_ms <= 250) || null,
        })
      }
      database.close()
    }),
    runs(25),
  )
})

test('counts what is unknown in roll-ups by any labels, whose rows are there already', () => {
  const unknowns = SUMS.slice(SUMS.indexOf('unpriced_failures'), SUMS.indexOf('unended_streams') + 1)
  const migration = packagedMigrations().find(({ fileName }) => fileName.endsWith('_rollup_unknowns.sql'))
  fc.assert(
    fc.property(fc.array(row, { maxLength: 30 }), (rows) => {
      const database = new SQLite(':memory:')
      migrate(database, 'memory')
      const labels = ['10', '9', 'team', 'tier']
      setRollupLabels(database, labels)
      insertRows(
        database,
        [...rows, { ...rows[0], labels: '{"10":"a","9":"b"}' }].filter((row) => 'model' in row),
      )
      countRows(database)
      // As it was before.
      database.exec('DROP INDEX idx_requests_unended')
      for (const table of ['rollups', 'rollup_totals']) {
        for (const name of unknowns) database.exec(`ALTER TABLE ${table} DROP COLUMN ${name}`)
      }
      database.exec(migration?.sql ?? '')
      expect(findRollupDifferences(database)).toEqual([])
      database.close()
    }),
    runs(15),
  )
})
