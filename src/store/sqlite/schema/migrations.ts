import { createHash } from 'node:crypto'
import type { Database } from 'better-sqlite3'
import { shortHash } from '../../total-keys.js'
import { connect } from '../connection/driver.js'
import { asDatabaseError, DatabaseError } from '../connection/errors.js'
import { MIGRATED_SCHEMA, MIGRATION_FILES } from './migration-files.js'

/** The name and the text of one file of the migrations directory. */
export interface MigrationFile {
  readonly fileName: string
  readonly sql: string
}

/** A migration as the sqlx migrator sees it. */
export interface Migration extends MigrationFile {
  readonly version: number
  readonly description: string
  /** SHA-384 of the file's bytes. */
  readonly checksum: Buffer
}

interface LedgerRow extends Pick<Migration, 'version' | 'description' | 'checksum'> {
  success: number
}

// The table that the sqlx migrator for SQLite creates; execution_time is in nanoseconds.
const createLedger = `
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
`

/**
 * Puts migrations in the order of their versions. A file's name is `<version>_<description>.sql`;
 * the description has spaces for its underscores. Other files are ignored, as by sqlx.
 */
export function parseMigrations(files: readonly MigrationFile[]): Migration[] {
  return files
    .flatMap(({ fileName, sql }) => {
      const [, version, description] = /^(\d+)_(.+)\.sql$/.exec(fileName) ?? []
      if (version === undefined || description === undefined) return []
      return {
        version: Number(version),
        description: description.replaceAll('_', ' '),
        fileName,
        sql,
        checksum: createHash('sha384').update(sql).digest(),
      }
    })
    .sort((a, b) => a.version - b.version)
}

let packaged: readonly Migration[] | null = null

/**
 * This program's own migrations. They are never looked for on disk, since a bundled program may be
 * beside another program's migrations.
 */
export function packagedMigrations(): readonly Migration[] {
  packaged ??= parseMigrations(MIGRATION_FILES)
  return packaged
}

/**
 * Returns the migrations that the database still lacks, the oldest first. Reads only.
 *
 * @throws DatabaseError MIGRATION_INCOMPLETE, DATABASE_TOO_NEW or MIGRATION_EDITED if the ledger
 *   and the migrations contradict each other.
 */
export function pendingMigrations(
  database: Database,
  path: string,
  migrations: readonly Migration[] = packagedMigrations(),
): Migration[] {
  const applied = readLedger(database)
  const known = new Map(migrations.map((migration) => [migration.version, migration]))
  for (const row of applied) {
    const label = `migration ${row.version} (${row.description})`
    if (!row.success) {
      const text = `${label} began and did not succeed, so the schema is in an unknown state: restore a backup, or move the database away and replay`
      throw new DatabaseError('MIGRATION_INCOMPLETE', path, text)
    }
    const migration = known.get(row.version)
    if (migration === undefined) {
      const text = `it has ${label}, which this program does not have (its newest is ${migrations.at(-1)?.version ?? 'none'}): use the version of request-journal that made it, or a newer one`
      throw new DatabaseError('DATABASE_TOO_NEW', path, text)
    }
    if (!migration.checksum.equals(row.checksum)) {
      const text = `${migration.fileName} was edited after it was applied here (SHA-384 when applied: ${shortHex(row.checksum)}; of the file now: ${shortHex(migration.checksum)}): restore the file's bytes, and put the change into a new migration`
      throw new DatabaseError('MIGRATION_EDITED', path, text)
    }
  }
  const appliedVersions = new Set(applied.map((row) => row.version))
  return migrations.filter((migration) => !appliedVersions.has(migration.version))
}

/**
 * Applies the pending migrations, each together with its ledger row in one transaction. In an empty
 * database, the compiled schema is executed in place of the migrations that it covers. A database
 * that is up to date is only read. Any number of processes may do this at once.
 *
 * @throws DatabaseError like `pendingMigrations`, and MIGRATION_FAILED.
 */
export function migrate(
  database: Database,
  path: string,
  migrations: readonly Migration[] = packagedMigrations(),
): void {
  while (pendingMigrations(database, path, migrations).length > 0) {
    database
      .transaction(() => {
        // Reads the ledger again, since another process may have applied a migration while this one
        // waited for the write lock.
        if (migrations === packaged && database.prepare('SELECT 1 FROM sqlite_master').get() === undefined) {
          const { fileNames, sql } = MIGRATED_SCHEMA
          const covered = migrations.filter(({ fileName }) => fileNames.includes(fileName))
          execute(database, path, covered, sql)
          return
        }
        const next = pendingMigrations(database, path, migrations)[0]
        if (next !== undefined) execute(database, path, [next], next.sql)
      })
      .immediate()
  }
}

/**
 * Tries migrations on an empty copy of a database's schema. Rows aren't expected to make them fail.
 *
 * @throws DatabaseError as the migrations themselves would.
 */
export function tryMigrations(database: Database, path: string, migrations: readonly Migration[]): void {
  const copy = connect(':memory:', {})
  try {
    const schema = database
      .prepare<[], string>(
        `SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY type <> 'table', rowid`,
      )
      .pluck()
      .all()
    for (const sql of schema) {
      try {
        copy.exec(sql)
      } catch {
        // A virtual table, or a view or trigger, of an extension that isn't loaded here belongs to
        // another program.
      }
    }
    for (const migration of migrations) execute(copy, path, [migration], migration.sql)
  } finally {
    copy.close()
  }
}

/**
 * Executes what these migrations do and writes their ledger rows, in the caller's transaction. The
 * time that this takes is divided among the migrations.
 *
 * @throws DatabaseError MIGRATION_FAILED, or what `asDatabaseError` returns for SQLite's errors
 *   about the file.
 */
function execute(database: Database, path: string, migrations: readonly Migration[], sql: string): void {
  const startedAt = process.hrtime.bigint()
  database.exec(createLedger)
  // Only migrations use this function; the schema works without it.
  const options = { deterministic: true, varargs: true }
  database.function('short_hash', options, (...names: unknown[]) => shortHash(names))
  try {
    database.exec(sql)
  } catch (error) {
    const known = asDatabaseError(error, path)
    if (known instanceof DatabaseError && known.code !== 'SCHEMA_CHANGED') throw known
    const reason = error instanceof Error ? error.message : String(error)
    const names = migrations.map(({ fileName }) => fileName).join(', ')
    const text = `its tables are not what ${names} expects (${reason}), so they stay as they are: name another file with --db, or, if this one is request-journal's, move it away and replay`
    throw new DatabaseError('MIGRATION_FAILED', path, text, { cause: error })
  }
  const elapsed = (process.hrtime.bigint() - startedAt) / BigInt(migrations.length)
  const insert = database.prepare(
    'INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (?, ?, TRUE, ?, ?)',
  )
  for (const { version, description, checksum } of migrations) {
    insert.run(version, description, checksum, elapsed)
  }
}

function readLedger(database: Database): LedgerRow[] {
  const hasLedger = database
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'")
    .get()
  if (hasLedger === undefined) return []
  return database
    .prepare<[], LedgerRow>(
      'SELECT version, description, success, checksum FROM _sqlx_migrations ORDER BY version',
    )
    .all()
}

function shortHex(checksum: Buffer): string {
  return `${checksum.toString('hex').slice(0, 16)}…`
}
