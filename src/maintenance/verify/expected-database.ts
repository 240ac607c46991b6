import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import { checkSpace, rebuiltBytes } from '../../store/sqlite/connection/copy-database.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { connect } from '../../store/sqlite/connection/driver.js'
import { DatabaseError } from '../../store/sqlite/connection/errors.js'
import { createPrivateFile } from '../../store/sqlite/connection/private-file.js'
import { temporaryFolder } from '../../store/sqlite/connection/temporary-folder.js'
import { migrate } from '../../store/sqlite/schema/migrations.js'

/** The tables that a replay keeps from the database that it rebuilds. */
const KEPT_TABLES = [
  'unjournaled_requests',
  'unjournaled_token_ratios',
  'rollup_unjournaled',
  'rollup_labels',
  'pruned_segments',
  'pruned_imports',
  'pruned_completion_places',
  'carried_completions',
  'sqlite_sequence',
]

/** The condition of rows that came from pruned segments, and are kept. */
const OF_PRUNED =
  'WHERE segment_id <= (SELECT coalesce(max(through_segment_id), 0) FROM main.pruned_segments)'

/**
 * Makes an empty database for the rows that the journal gives, and attaches it to a reader as
 * `expected`. Its file has no name any more when this returns, so that it disappears with the
 * process however that ends.
 *
 * @param reader must not be in a transaction yet.
 * @returns the connection that writes to it, which must be closed before `expected` is read.
 * @throws DatabaseError DATABASE_UNWRITABLE if no folder may be written to, or its disk has too
 *   little room.
 */
export function createExpected(reader: Database, databasePath: string): Database {
  const writer = createTemporary(databasePath, rebuiltBytes(reader), (file) =>
    reader.prepare('ATTACH ? AS expected').run(file),
  )
  try {
    checkTables(reader)
    return writer
  } catch (error) {
    writer.close()
    throw error
  }
}

/**
 * Makes an empty database whose file has no name any more when this returns.
 *
 * @param database the path or address of the database to be verified, for messages.
 * @param neededBytes about how large it will be.
 * @param whileNamed called with the path of the file while it has one.
 * @throws DatabaseError DATABASE_UNWRITABLE
 */
export function createTemporary(
  database: string,
  neededBytes: number,
  whileNamed: (file: string) => void = () => {},
): Database {
  const folder = temporaryFolder(database)
  if (folder === null) {
    const text = 'found no folder for a temporary database, expected one that this user may write to'
    throw new DatabaseError('DATABASE_UNWRITABLE', database, `${text}: set SQLITE_TMPDIR to such a folder`)
  }
  checkSpace(folder, neededBytes, database)
  const isFile = !isPostgresAddress(database)
  const file = join(folder, `${isFile ? basename(database) : 'request-journal'}.${randomUUID()}.verify`)
  createPrivateFile(file, isFile ? database : undefined)
  let temporary: Database | null = null
  try {
    temporary = connect(file, {})
    whileNamed(file)
    temporary.pragma('journal_mode = MEMORY')
    temporary.pragma('synchronous = OFF')
    migrate(temporary, file)
    return temporary
  } catch (error) {
    temporary?.close()
    throw error
  } finally {
    rmSync(file, { force: true })
  }
}

/**
 * Makes sure that no table is missing in `main`: SQLite would read the one of `expected` instead.
 */
function checkTables(reader: Database): void {
  const tables = reader
    .prepare<[], string>(
      "SELECT name FROM expected.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .pluck()
    .all()
  for (const table of tables) reader.prepare(`SELECT 1 FROM main.${table}`)
}

/** Copies what a replay keeps: rows that aren't the journal's, and where the replay begins. */
export function seedExpected(reader: Database, writer: Database): void {
  writer.transaction(() => {
    copyRows(reader, writer, 'requests', 'WHERE segment_id IS NULL')
    for (const table of KEPT_TABLES) copyRows(reader, writer, table)
    for (const table of ['prices', 'exchange_rates']) copyRows(reader, writer, table, OF_PRUNED)
    // Nothing here looks for streams without an end, and repricing needs the index of timestamps
    // only.
    writer.exec('DROP INDEX IF EXISTS idx_requests_unended')
  })()
}

function copyRows(reader: Database, writer: Database, table: string, condition = ''): void {
  const columns = writer.prepare<[string], string>('SELECT name FROM pragma_table_info(?)').pluck().all(table)
  const list = columns.join(', ')
  writer.exec(`DELETE FROM ${table}`)
  const insert = writer.prepare(
    `INSERT INTO ${table} (${list}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  const rows = reader
    .prepare<[], unknown[]>(`SELECT ${list} FROM main.${table} ${condition}`)
    .raw()
    .safeIntegers()
  for (const row of rows.iterate()) insert.run(...row)
}
