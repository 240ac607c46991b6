import type { Database } from '../../store/sqlite/connection/database.js'
import { connect } from '../../store/sqlite/connection/driver.js'
import { migrate } from '../../store/sqlite/schema/migrations.js'
import { countText } from '../count-text.js'
import { type Finding, note, ok, problem } from './check.js'

interface Column {
  name: string
  notnull: number
  dflt_value: string | null
}

interface SchemaObject {
  type: 'table' | 'index' | 'trigger' | 'view'
  name: string
  tbl_name: string
}

/** Compares tables, columns, indexes and triggers with those that the migrations make. */
export function checkSchema(database: Database): Finding {
  const expected = connect(':memory:', {})
  try {
    migrate(expected, ':memory:')
    return compare(database, expected)
  } finally {
    expected.close()
  }
}

function compare(database: Database, expected: Database): Finding {
  const found = objectsOf(database)
  const ours = objectsOf(expected)
  const missing = [...ours.values()].filter(({ name }) => !found.has(name)).map(describe)
  const tables = [...ours.values()].filter(({ type, name }) => type === 'table' && found.has(name))
  for (const { name: table } of tables) {
    const columns = columnsOnlyIn(expected, database, table)
    missing.push(...columns.map(({ name }) => `column ${table}.${name}`))
  }
  if (missing.length > 0) {
    const advice =
      'Restore what is missing as the files in migrations/ make it, or move the database away and rebuild it: `request-journal replay`'
    const text = `${countText(missing.length, 'table, column or index', 'tables, columns or indexes')} missing`
    return problem(text, advice, missing)
  }
  const added = [...found.values()].filter(({ name, tbl_name }) => !ours.has(name) && ours.has(tbl_name))
  const refusing = [
    ...added.filter(({ type, name }) => type === 'trigger' || isUnique(database, name)).map(describe),
    ...tables.flatMap(({ name }) => refusingColumns(database, expected, name)),
  ]
  if (refusing.length > 0) {
    const advice =
      'The projector stops at a row that one of these refuses. Drop them, or put them on a table of your own'
    return note('constraints were added that may refuse rows', advice, refusing)
  }
  return ok('tables, columns and indexes are as the migrations made them')
}

function objectsOf(database: Database): Map<string, SchemaObject> {
  const rows = database
    .prepare<[], SchemaObject>(
      "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
    )
    .all()
  return new Map(rows.map((row) => [row.name, row]))
}

/** The columns that a table has in one database and not in another one. */
function columnsOnlyIn(database: Database, other: Database, table: string): Column[] {
  const columnsOf = (of: Database) =>
    of.prepare<[string], Column>('SELECT name, "notnull", dflt_value FROM pragma_table_info(?)').all(table)
  const known = new Set(columnsOf(other).map(({ name }) => name))
  return columnsOf(database).filter(({ name }) => !known.has(name))
}

/** Columns that somebody added and that need a value, so a row without one is refused. */
function refusingColumns(database: Database, expected: Database, table: string): string[] {
  return columnsOnlyIn(database, expected, table)
    .filter(({ notnull, dflt_value }) => notnull !== 0 && dflt_value === null)
    .map(({ name }) => `column ${table}.${name}, NOT NULL without a default`)
}

function isUnique(database: Database, index: string): boolean {
  const sql =
    'SELECT 1 FROM sqlite_master m JOIN pragma_index_list(m.tbl_name) i ON i.name = m.name WHERE m.name = ? AND i."unique" = 1'
  return database.prepare(sql).get(index) !== undefined
}

function describe({ type, name, tbl_name }: SchemaObject): string {
  return type === 'table' || type === 'view' ? `${type} ${name}` : `${type} ${name} on ${tbl_name}`
}
