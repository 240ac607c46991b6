import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import type SQLite from 'better-sqlite3'
import { nearestName } from '../../events/nearest-name.js'
import { connect } from '../../store/sqlite/connection/driver.js'
import { InputError } from '../errors.js'
import { unreadableFile } from '../file-bytes.js'
import type { FoundRow } from './imported-row.js'
import type { Source } from './source.js'

/**
 * Opens a table, or a view, of an SQLite database, and reads it as it is at one moment, whatever
 * others write to it meanwhile.
 *
 * @param check throws an InputError if these can't be the columns of such a source.
 * @throws InputError FILE_UNREADABLE, INVALID_VALUE if there is no such table.
 */
export function openTable(path: string, table: string, check: (columns: string[]) => void): Source {
  let database: SQLite.Database
  try {
    statSync(path)
    database = connect(path, { readonly: true, fileMustExist: true })
  } catch (error) {
    throw unreadableFile(path, error)
  }
  try {
    database.exec('BEGIN')
    const names = database
      .prepare<[], string>("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
      .pluck()
      .all()
    if (!names.includes(table)) throw noTable(path, table, names)
    // Rows come in the order of the table's key, which stays the same while nobody writes.
    const statement = database.prepare<[], unknown[]>(`SELECT * FROM "${table.replaceAll('"', '""')}"`)
    const columns = statement.columns().map(({ name }) => name)
    const select = statement.raw().safeIntegers()
    check(columns)
    return {
      heading: () => '',
      contentHash: async (onBytes) => hashOf(select.iterate(), columns, onBytes),
      rows: () => rowsOf(select.iterate(), columns),
      close: () => database.close(),
    }
  } catch (error) {
    database.close()
    throw error instanceof InputError ? error : unreadableFile(path, error)
  }
}

function hashOf(
  rows: Iterable<unknown[]>,
  columns: readonly string[],
  onBytes: (bytes: number) => void,
): string {
  const hash = createHash('sha256').update(JSON.stringify(columns))
  for (const row of rows) {
    const text = JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
    hash.update(text)
    onBytes(text.length)
  }
  return hash.digest('hex')
}

async function* rowsOf(rows: Iterable<unknown[]>, columns: readonly string[]): AsyncGenerator<FoundRow> {
  const indexes = new Map(columns.map((column, index) => [column, index]))
  let line = 0
  for (const row of rows) {
    line++
    const get = (column: string) => row[indexes.get(column) ?? -1]
    const source = () => JSON.stringify(Object.fromEntries(columns.map((name) => [name, jsonOf(get(name))])))
    yield { line, problem: null, get, source }
  }
}

/** A column's value as JSON can have it. */
function jsonOf(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  return value
}

function noTable(path: string, table: string, names: readonly string[]): InputError {
  const has = names.length === 0 ? 'none' : names.map((name) => `'${name}'`).join(', ')
  const nearest = nearestName(table, names)
  const hint = nearest === null ? '' : `; the nearest is '${nearest}'`
  return new InputError('INVALID_VALUE', path, `found no table '${table}'; there are ${has}${hint}`)
}
