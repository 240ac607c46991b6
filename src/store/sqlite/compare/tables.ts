import type { Database } from '../connection/database.js'

/** A row, with integers as bigints, since a sum may be larger than 2^53. */
export type Row = Record<string, unknown>

/**
 * The rows with one key in the expected database and in the one that is compared; null if there is
 * none.
 */
export interface RowDifference {
  expected: Row | null
  found: Row | null
}

/** A table that is compared row by row. */
export interface ComparedTable {
  name: string
  key: readonly string[]
  /** Columns that may differ. */
  ignored?: readonly string[]
  /**
   * A key column whose ids the two databases assign in different orders, and the table of `pairIds`
   * that matches them.
   */
  paired?: { column: string; by: string }
}

/** Whether two values are equal. An integer and a real of the same value are. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b)
  const isNumber = (value: unknown) => typeof value === 'bigint' || typeof value === 'number'
  // biome-ignore lint/suspicious/noDoubleEquals: compares a bigint with a number by value.
  return isNumber(a) && isNumber(b) && a == b
}

/** A value as a report can hold it: JSON has neither bigints nor bytes. */
export function reportedValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  return Buffer.isBuffer(value) ? `X'${value.toString('hex').toUpperCase()}'` : value
}

/**
 * Compares a table of the attached database `expected` with that of `main`. Both databases are read
 * in SQL, and only rows that differ are returned.
 */
export function* differencesOf(database: Database, table: ComparedTable): Generator<RowDifference> {
  const rows = rowsOf(database, table)
  for (const key of differingKeys(database, [table])) {
    yield { expected: rows.expected(key), found: rows.found(key) }
  }
}

/**
 * The keys under which any of the tables differs, each once. All tables have the same key. A paired
 * column has the id of `main`, or the negated id of `expected` if that has no pair in `main`.
 */
export function* differingKeys(database: Database, tables: readonly ComparedTable[]): Generator<unknown[]> {
  const sql = tables.flatMap((table) => keyQueries(table, columnsOf(database, table.name)))
  // UNION gives each key once, and sorts on disk.
  yield* database.prepare<[], unknown[]>(sql.join(' UNION ')).raw().safeIntegers().iterate()
}

/** Reads rows of a table by their key, as `differingKeys` yields it. */
export function rowsOf(database: Database, table: ComparedTable) {
  return {
    expected: prepareRow(database, 'expected', table),
    found: prepareRow(database, 'main', table),
  }
}

function prepareRow(
  database: Database,
  schema: 'expected' | 'main',
  { name, key, paired }: ComparedTable,
): (key: readonly unknown[]) => Row | null {
  const isPaired = (column: string) => schema === 'expected' && column === paired?.column
  const condition = key.map((column) =>
    isPaired(column)
      ? `${column} = coalesce((SELECT expected_id FROM temp.${paired?.by} WHERE found_id = ?), -?)`
      : `${column} IS ?`,
  )
  const columns = columnsOf(database, name).join(', ')
  const sql = `SELECT ${columns} FROM ${schema}.${name} WHERE ${condition.join(' AND ')}`
  const statement = database.prepare<unknown[], Row>(sql).safeIntegers()
  return (values) => {
    const bound = key.flatMap((column, index) =>
      isPaired(column) ? [values[index], values[index]] : [values[index]],
    )
    return statement.get(...bound) ?? null
  }
}

/**
 * Matches the ids of rows that mean the same in both databases, in a temporary table (expected_id,
 * found_id). If several rows of `main` mean the same, the first one counts.
 *
 * @param meaning the columns that determine what a row means. The column `key` is used too, because
 *   it has an index.
 */
export function pairIds(
  database: Database,
  { pairs, table, meaning }: { pairs: string; table: string; meaning: readonly string[] },
): void {
  const isSame = meaning.map((column) => `f.${column} IS e.${column}`).join(' AND ')
  database.exec(`
    CREATE TEMP TABLE ${pairs} (expected_id INTEGER PRIMARY KEY, found_id INTEGER UNIQUE);
    INSERT INTO temp.${pairs}
      SELECT e.id, min(f.id) FROM expected.${table} e JOIN main.${table} f ON f.key = e.key AND ${isSame} GROUP BY e.id;
  `)
}

/** The columns of a table, as the expected database has them. */
export function columnsOf(database: Database, table: string): string[] {
  return database
    .prepare<[string], string>("SELECT name FROM pragma_table_info(?, 'expected')")
    .pluck()
    .all(table)
}

function keyQueries(
  { name, key, ignored = [], paired }: ComparedTable,
  columns: readonly string[],
): string[] {
  const values = columns.filter((column) => !key.includes(column) && !ignored.includes(column))
  const list = (alias: string, names: readonly string[]) =>
    names.map((column) => `${alias}.${column}`).join(', ')
  const differs = values.length === 0 ? '' : ` OR (${list('f', values)}) IS NOT (${list('e', values)})`
  const pairs = (alias: string, id: string) =>
    paired === undefined ? '' : `LEFT JOIN temp.${paired.by} p ON p.${id} = ${alias}.${paired.column}`
  const isSameKey = (alias: string, other: string, id: string) =>
    key
      .map((column) => `${alias}.${column} = ${column === paired?.column ? `p.${id}` : `${other}.${column}`}`)
      .join(' AND ')
  const expectedKey = key.map((column) =>
    column === paired?.column ? `coalesce(p.found_id, -e.${column})` : `e.${column}`,
  )
  return [
    `SELECT ${list('f', key)} FROM main.${name} f ${pairs('f', 'found_id')}
      LEFT JOIN expected.${name} e ON ${isSameKey('e', 'f', 'expected_id')} WHERE e.${key[0]} IS NULL${differs}`,
    `SELECT ${expectedKey.join(', ')} FROM expected.${name} e ${pairs('e', 'expected_id')}
      LEFT JOIN main.${name} f ON ${isSameKey('f', 'e', 'found_id')} WHERE f.${key[0]} IS NULL`,
  ]
}
