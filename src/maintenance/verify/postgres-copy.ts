import { postgresAddress } from '../../store/postgres/connection/address.js'
import { Connection } from '../../store/postgres/connection/connection.js'
import { IDS_PER_JOURNAL } from '../../store/postgres/row-ids.js'
import { checkSchema } from '../../store/postgres/schema/migrations.js'
import { databaseBytes } from '../../store/sqlite/connection/copy-database.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { storeVersions } from '../../store/sqlite/fold-versions.js'
import { createTemporary } from './expected-database.js'
import { sortedLabels } from './postgres-form.js'

const PAGE_ROWS = 2000

/** Tables with rows of their own for each journal. Tables that others refer to come first. */
const TABLES = [
  'journal_segments',
  'requests',
  'rejected_lines',
  'held_completions',
  'carried_completions',
  'superseded_completions',
  'pruned_completion_places',
  'missing_segments',
  'lost_segments',
  'prices',
  'exchange_rates',
  'repricing',
  'rollup_dimensions',
  'rollup_latencies',
  'rollup_total_latencies',
  'rollup_names',
]

/** Tables of sums, whose integers may be too large for a double. */
const SUMS = ['token_ratio_sums', 'rollups', 'rollup_totals', 'request_counters', 'latency_counters']

/** SQL for columns that PostgreSQL doesn't have. */
const COLUMNS: Readonly<Record<string, string>> = {
  journal_id: '(SELECT journal_id FROM journals WHERE number = journal)',
  is_first: 'FALSE',
}

/**
 * Makes a temporary SQLite database with the rows that one journal has in PostgreSQL, as they are
 * at this moment.
 *
 * @returns the database, and the journal's number; 0 if PostgreSQL doesn't know the journal, which
 *   then has no rows.
 */
export async function copyOfJournal(
  address: string,
  schema: string,
  journalId: string,
): Promise<{ database: Database; number: number }> {
  const options = { address: postgresAddress(address), schema, purpose: 'verify', isReader: true }
  const connection = await Connection.open(options)
  try {
    return await connection.transaction(async () => {
      await checkSchema(connection, schema)
      const found = await connection.one<{ number: number; bytes: number | null }>(
        `SELECT number, (SELECT sum(projected_bytes) FROM journal_segments WHERE journal = number) AS bytes
         FROM journals WHERE journal_id = $1`,
        journalId,
      )
      // The journal is folded into another database of this size.
      const database = createTemporary(address, 2 * databaseBytes(found?.bytes ?? 0))
      try {
        await copyTables(connection, found?.number ?? null, database)
        return { database, number: found?.number ?? 0 }
      } catch (error) {
        database.close()
        throw error
      }
    })
  } finally {
    await connection.close()
  }
}

/**
 * Copies the rows of one journal from PostgreSQL into an empty SQLite database, in the form that
 * SQLite has, so that they are compared like those of any other. Rows are read page by page, all as
 * they are at one moment.
 *
 * @param connection must be in a transaction that reads one snapshot.
 * @param journal the journal's number; null: the database doesn't know it, and nothing is copied.
 */
async function copyTables(connection: Connection, journal: number | null, target: Database): Promise<void> {
  // Rows with an id that another row has can't be stored in the same table here.
  target.exec('CREATE TABLE doubled_ids (id INTEGER, segment_id INTEGER, byte_offset INTEGER)')
  if (journal === null) {
    storeVersions(target)
    return
  }
  target.pragma('foreign_keys = OFF')
  // Indexes are made at the end: each inserted correlation id would change another page.
  const indexes = target
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'requests' AND sql IS NOT NULL",
    )
    .all()
  for (const { name } of indexes) target.exec(`DROP INDEX ${name}`)
  target.exec('DELETE FROM rollup_labels; BEGIN')
  for (const table of [...TABLES, ...SUMS]) {
    const columns = columnsOf(target, table).map(({ name, type }) => ({
      name,
      sql: SUMS.includes(table) ? sumSql(name, type) : columnSql(table, name),
    }))
    const sql = `SELECT ${columns.map((column) => column.sql).join(', ')} FROM ${table} WHERE journal = ${journal}`
    const insert = inserter(
      target,
      table,
      columns.map(({ name }) => name),
    )
    for await (const row of rowsOf(connection, sql)) insert(row)
  }
  for await (const row of rowsOf(connection, 'SELECT name FROM rollup_labels')) {
    target.prepare('INSERT INTO rollup_labels VALUES (?)').run(row)
  }
  await copyVersions(connection, journal, target)
  await copyBeginning(connection, journal, target)
  target.exec(`INSERT INTO token_ratios (policy, avg_ratio, sample_count)
    SELECT policy, ratio_millionths / 1e6 / sample_count, sample_count FROM token_ratio_sums; COMMIT`)
  for (const { sql } of indexes) target.exec(sql)
}

async function copyVersions(connection: Connection, journal: number, target: Database): Promise<void> {
  const insert = target.prepare('INSERT OR REPLACE INTO projections (name, version) VALUES (?, ?)')
  const sql = 'SELECT name, version FROM projections WHERE journal = $1'
  for (const row of await connection.raw(sql, journal)) insert.run(...row)
}

/** Copies the data that determines where a replay begins. */
async function copyBeginning(connection: Connection, journal: number, target: Database): Promise<void> {
  const row = await connection.one<{
    pruned_through: number
    pruned_late_lines: number
    pruned_ordinal: number
  }>('SELECT pruned_through, pruned_late_lines, pruned_ordinal FROM journals WHERE number = $1', journal)
  if (row === undefined) return
  const lastId = journal * IDS_PER_JOURNAL + row.pruned_ordinal
  for (const table of ['unjournaled_requests', 'rollup_unjournaled']) {
    target.exec(`DELETE FROM ${table}`)
    target.prepare(`INSERT INTO ${table} (last_id) VALUES (?)`).run(lastId)
  }
  target.exec('DELETE FROM pruned_segments')
  if (row.pruned_through === 0) return
  target
    .prepare('INSERT INTO pruned_segments (through_segment_id, late_lines) VALUES (?, ?)')
    .run(row.pruned_through, row.pruned_late_lines)
}

function columnsOf(database: Database, table: string): { name: string; type: string }[] {
  const sql = 'SELECT name, type FROM pragma_table_info(?)'
  return database.prepare<[string], { name: string; type: string }>(sql).all(table)
}

function columnSql(table: string, name: string): string {
  const isPrice = table === 'prices' || table === 'exchange_rates'
  // Decimals of prices are read as texts, which keep their zeros.
  if (isPrice && !NOT_DECIMAL.has(name)) return `${name}::text`
  return COLUMNS[name] ?? name
}

const NOT_DECIMAL = new Set(['segment_id', 'byte_offset', 'valid_from', 'observed_at', 'min_input_tokens'])

/** Reads integers as texts, which SQLite makes 64 bits. Costs become units and billionths. */
function sumSql(name: string, type: string): string {
  const [, corrected = '', nano, currency] = /^(corrected_)?cost_(nano)?(sats|usd)$/.exec(name) ?? []
  if (currency === undefined) return type === 'INTEGER' ? `${name}::text` : name
  const cost = `${corrected}cost_${currency}`
  const whole = `trunc(${cost})`
  return nano === undefined ? `${whole}::text` : `trunc((${cost} - ${whole}) * 1000000000)::text`
}

function inserter(target: Database, table: string, columns: string[]): (row: unknown[]) => void {
  const insert = target.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  const labels = columns.indexOf('labels')
  const place = ['id', 'segment_id', 'byte_offset'].map((name) => columns.indexOf(name))
  const double = target.prepare('INSERT INTO doubled_ids VALUES (?, ?, ?)')
  return (row) => {
    if (typeof row[labels] === 'string') row[labels] = sortedLabels(row[labels])
    const { changes } = insert.run(row.map((value) => (typeof value === 'boolean' ? Number(value) : value)))
    if (changes === 0 && table === 'requests') double.run(place.map((index) => row[index]))
  }
}

async function* rowsOf(connection: Connection, sql: string): AsyncGenerator<unknown[]> {
  // All rows will be read, so the plan must be the best one for that.
  await connection.exec(`SET LOCAL cursor_tuple_fraction = 1; DECLARE copied NO SCROLL CURSOR FOR ${sql}`)
  const fetch = () => connection.raw(`FETCH FORWARD ${PAGE_ROWS} FROM copied`)
  let page = fetch()
  for (;;) {
    const rows = await page
    const isLast = rows.length < PAGE_ROWS
    // The server makes the next rows while these are written.
    if (!isLast) page = fetch()
    yield* rows
    if (isLast) break
  }
  await connection.exec('CLOSE copied')
}
