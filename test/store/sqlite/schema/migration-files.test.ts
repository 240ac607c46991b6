import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import SQLite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { MIGRATION_FILES } from '../../../../src/store/sqlite/schema/migration-files.js'
import {
  type MigrationFile,
  migrate,
  parseMigrations,
} from '../../../../src/store/sqlite/schema/migrations.js'
import { readMigrationFiles } from '../support.js'

const DIRECTORY = fileURLToPath(new URL('../../../../migrations', import.meta.url))
const FILE = new URL('../../../../src/store/sqlite/schema/migration-files.ts', import.meta.url)
const REGENERATE = 'UPDATE_MIGRATIONS=1 npx vitest run test/store/sqlite/schema/migration-files.test.ts'

const HEADER = `// Generated from migrations/*.sql; don't edit it. To generate it anew:
// ${REGENERATE}
import type { MigrationFile } from './migrations.js'

/**
 * The files of migrations/ as part of the program, so that they go wherever a bundler takes it. To
 * add a migration, add a file there and run the command above; the same command settles a merge
 * conflict in this file.
 */
export const MIGRATION_FILES: readonly MigrationFile[] = [
`

const SCHEMA_HEADER = `
/**
 * Everything that these migrations leave in an empty database, the ledger aside. A new database
 * gets all of it in one step, which takes a tenth of the time of applying them one by one.
 */
export const MIGRATED_SCHEMA: { readonly fileNames: readonly string[]; readonly sql: string } = {
`

function moduleText(files: readonly MigrationFile[]): string {
  const entries = files.map(
    ({ fileName, sql }) => `  {
    fileName: '${fileName}',
    sql: ${literal(sql)},
  },
`,
  )
  const database = migrated(files)
  const schema = literal(`\n${schemaOf(database)}${rowsOf(database).join('')}`)
  database.close()
  const fileNames = files.map(({ fileName }) => `    '${fileName}',\n`).join('')
  return `${HEADER}${entries.join('')}]
${SCHEMA_HEADER}  fileNames: [
${fileNames}  ],
  sql: ${schema},
}
`
}

function literal(text: string): string {
  return `\`${text.replace(/[\\`]|\$\{/g, '\\$&').replaceAll('\r', '\\r')}\``
}

/** A database with these migrations, applied one by one. */
function migrated(files: readonly MigrationFile[]): SQLite.Database {
  const database = new SQLite(':memory:')
  migrate(database, 'memory', parseMigrations(files))
  return database
}

/** The statements that make its tables, indexes, views and triggers. */
function schemaOf(database: SQLite.Database): string {
  const statements = database
    .prepare<[], string>(
      `SELECT sql FROM sqlite_master
       WHERE sql IS NOT NULL AND name <> '_sqlx_migrations' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
       ORDER BY rowid`,
    )
    .pluck()
    .all()
  return statements.map((statement) => `${statement};\n`).join('')
}

/** The statements that insert the rows of its tables. */
function rowsOf(database: SQLite.Database): string[] {
  const tables = database
    .prepare<[], string>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '_sqlx_migrations' ORDER BY rowid",
    )
    .pluck()
    .all()
  return tables.flatMap((table) => {
    const columns = database.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(table) as string[]
    const values = columns.map((column) => `quote("${column}")`).join(` || ', ' || `)
    return database
      .prepare<[], string>(
        `SELECT 'INSERT INTO ${table} (${columns.join(', ')}) VALUES (' || ${values} || ');' || char(10) FROM ${table}`,
      )
      .pluck()
      .all()
  })
}

test('migration-files.ts has the files of migrations/, byte for byte', () => {
  const files = readMigrationFiles(DIRECTORY)
  const text = moduleText(files)
  if (process.env['UPDATE_MIGRATIONS'] === '1') writeFileSync(FILE, text)
  const advice = `migrations/ has changed; regenerate it with: ${REGENERATE}`
  expect(readFileSync(FILE, 'utf8'), advice).toBe(text)
  // In the run that writes it, the module is still what it was before.
  if (process.env['UPDATE_MIGRATIONS'] !== '1') expect(MIGRATION_FILES).toEqual(files)
})

test('a new database is what the migrations would have made of it one by one', () => {
  const database = new SQLite(':memory:')
  migrate(database, 'memory')
  const stepwise = migrated(MIGRATION_FILES)
  expect(describeAll(database)).toEqual(describeAll(stepwise))
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
})

/** Everything in a database but the pages where it is, and when migrations were applied. */
function describeAll(database: SQLite.Database) {
  return {
    schema: database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name').all(),
    rows: rowsOf(database),
    ledger: database.prepare('SELECT version, description, success, checksum FROM _sqlx_migrations').all(),
    pragmas: ['user_version', 'application_id', 'encoding'].map((name) => database.pragma(name)),
  }
}
