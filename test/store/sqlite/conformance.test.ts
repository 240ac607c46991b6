import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { SqliteStore } from '../../../src/store/sqlite/sqlite-store.js'
import { putEmptyDatabase } from '../../support/empty-database.js'
import { conformance, type OpenedStore, type Step } from '../conformance.js'
import { type Row, sorted, type Tables } from '../model.js'

conformance('SqliteStore', async (): Promise<OpenedStore> => {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-store-'))
  const path = join(directory, 'requests.db')
  putEmptyDatabase(path)
  const store = new SqliteStore(path, { purpose: 'project' })
  const other = new SQLite(path)
  return {
    store,
    tables: async () => readTables(other),
    openAgain: async () => new SqliteStore(path, { purpose: 'project' }),
    failAt: async (step) => {
      other.exec(FAILURES[step])
      return async () => {
        other.exec('DROP TRIGGER failure; DROP TABLE IF EXISTS refused')
      }
    },
    remove: async () => {
      other.close()
      await store.close()
      rmSync(directory, { recursive: true })
    },
  }
})

const failure = (event: string) =>
  `CREATE TRIGGER failure BEFORE ${event} BEGIN SELECT raise(ABORT, 'injected'); END`

const FAILURES: Record<Step, string> = {
  insert: failure('INSERT ON requests'),
  complete: failure('UPDATE ON requests'),
  hold: failure('INSERT ON held_completions'),
  reject: failure('INSERT ON rejected_lines'),
  sum: failure('INSERT ON rollup_totals'),
  advance: failure('UPDATE OF projected_bytes ON journal_segments'),
  // A foreign key that is only checked by COMMIT.
  commit: `CREATE TABLE refused (id INTEGER REFERENCES requests(id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER failure AFTER INSERT ON requests BEGIN INSERT INTO refused VALUES (-1); END`,
}

function readTables(database: SQLite.Database): Tables {
  const rows = (sql: string) => database.prepare(sql).all() as Row[]
  const names = new Map(rows('SELECT key, name FROM rollup_names').map(({ key, name }) => [key, name]))
  const latencies = `FROM rollups r JOIN rollup_dimensions d ON d.id = r.dimension_id
    JOIN rollup_latencies l USING (grain, period, dimension_id)`
  return {
    requests: rows('SELECT * FROM requests ORDER BY id').map(withTypes),
    held: rows('SELECT * FROM held_completions ORDER BY segment_id, byte_offset').map(withTypes),
    superseded: rows('SELECT * FROM superseded_completions ORDER BY segment_id, byte_offset').map(withTypes),
    rejected: rows('SELECT * FROM rejected_lines ORDER BY segment_id, byte_offset'),
    segments: rows(
      `SELECT id, lines, repeated_completions AS repeated, ambiguous_completions AS ambiguous
       FROM journal_segments ORDER BY id`,
    ),
    ratios: sorted(rows('SELECT * FROM token_ratios')),
    rollups: sorted(
      rows(
        `SELECT r.grain, r.period, d.model, d.provider, d.policy, d.labels, r.*, l.buckets ${latencies}`,
      ).map(({ dimension_id, ...row }) => withTypes(row)),
    ),
    totals: sorted(
      rows(
        `SELECT grain, period, grouped_by, group_name AS name, t.*, l.buckets FROM rollup_totals t
         JOIN rollup_total_latencies l USING (grain, period, grouped_by, group_name)`,
      ).map(({ group_name, ...row }) => withTypes({ ...row, name: nameOf(String(group_name), names) })),
    ),
    counters: sorted(
      rows('SELECT model, provider, policy, c.* FROM request_counters c').map(({ id, key, ...row }) => row),
    ),
    latency_counters: sorted(
      rows(
        `SELECT model, provider, policy, le_ms, l.requests FROM latency_counters l
         JOIN request_counters c ON c.id = l.counter_id`,
      ),
    ),
  }
}

function nameOf(groupName: string, names: ReadonlyMap<unknown, unknown>): unknown {
  if (groupName === '') return null
  return groupName.startsWith('#') ? names.get(groupName) : groupName.slice(1)
}

/** A row with the types that SQLite doesn't have. */
function withTypes({ buckets, ...row }: Row): Row {
  const typed: Row = { ...row }
  for (const name of ['streaming', 'success']) {
    if (typeof row[name] === 'number') typed[name] = row[name] === 1
  }
  if (typeof row['labels'] === 'string') typed['labels'] = JSON.parse(row['labels'])
  if (Buffer.isBuffer(buckets)) typed['latencies'] = countsOf(buckets)
  return typed
}

function countsOf(buckets: Buffer): Row {
  const counts: Row = {}
  for (let at = 0; at < buckets.length; at += 6) {
    counts[buckets.readUInt16BE(at)] = buckets.readUInt32BE(at + 2)
  }
  return counts
}
