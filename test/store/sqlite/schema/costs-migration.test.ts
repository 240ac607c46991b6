import SQLite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { migrate, packagedMigrations } from '../../../../src/store/sqlite/schema/migrations.js'

const before = packagedMigrations().filter(({ fileName }) => fileName < '20261129000000')

/** A database from before there were prices. */
function oldDatabase(): SQLite.Database {
  const database = new SQLite(':memory:')
  migrate(database, 'memory', before)
  return database
}

test('a database with rows waits for the repricing of all of them, and one without waits for none', () => {
  const empty = oldDatabase()
  migrate(empty, 'memory')
  expect(empty.prepare('SELECT * FROM repricing').all()).toEqual([])

  const database = oldDatabase()
  const insert = database.prepare(
    `INSERT INTO requests (id, correlation_id, timestamp, model, latency_ms, success, cost_sats)
     VALUES (?, 'a', ?, 'm', 1, 1, 2.5)`,
  )
  const timestamps = [
    '',
    '0001-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    'yesterday',
    'ÿ',
    '\u{10fffe}',
  ]
  for (const [index, timestamp] of timestamps.entries()) insert.run(7 + index, timestamp)
  migrate(database, 'memory')
  expect(database.prepare('SELECT * FROM repricing').all()).toEqual([
    {
      id: 1,
      from_timestamp: '',
      until_timestamp: '\u{10ffff}',
      cursor_timestamp: '',
      cursor_id: Number.MIN_SAFE_INTEGER,
      through_id: 12,
      is_first: 1,
    },
  ])
  const pending = database.prepare(
    `SELECT r.timestamp FROM repricing p JOIN requests r ON r.timestamp >= p.from_timestamp
       AND r.timestamp < p.until_timestamp AND (r.timestamp, r.id) > (p.cursor_timestamp, p.cursor_id)
     ORDER BY r.id`,
  )
  expect(pending.pluck().all()).toEqual(timestamps)
  expect(database.prepare('SELECT DISTINCT cost_sats, cost_usd, cost_source FROM requests').all()).toEqual([
    { cost_sats: 2.5, cost_usd: null, cost_source: null },
  ])
})

test('every request that was summed is unpriced in dollars', () => {
  const database = oldDatabase()
  const sums = '100, 7, 30, 2, 5, 1000, 2000, 300, 4, 50000, 3, 2, 1, 0'
  database.exec(`
    INSERT INTO rollups VALUES ('hour', '2026-11-22T10', 1, ${sums});
    INSERT INTO rollup_totals VALUES ('hour', '', '2026-11-22T10', '', ${sums});
    INSERT INTO request_counters (model, requests, failures) VALUES ('m', 100, 7);
  `)
  migrate(database, 'memory')
  for (const table of ['rollups', 'rollup_totals']) {
    expect(
      database.prepare(`SELECT requests, unpriced_usd, unpriced_usd_failures, retries FROM ${table}`).all(),
    ).toEqual([{ requests: 100, unpriced_usd: 100, unpriced_usd_failures: 7, retries: 0 }])
  }
  expect(database.prepare('SELECT unpriced_usd, corrected_unpriced_usd FROM request_counters').all()).toEqual(
    [{ unpriced_usd: 100, corrected_unpriced_usd: 0 }],
  )
})
