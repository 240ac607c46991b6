import { createHash } from 'node:crypto'
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import SQLite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openDatabase, openDatabaseReadOnly } from '../../../../src/store/sqlite/connection/database.js'
import { migrate, packagedMigrations } from '../../../../src/store/sqlite/schema/migrations.js'
import { makeDatabaseBySqlx, SQLX_LEDGER } from '../../../support/sqlx-database.js'
import { databaseErrorOf, readMigrations, temporaryPath } from '../support.js'

const migrationsDirectory = fileURLToPath(new URL('../../../../migrations', import.meta.url))

const initial = readFileSync(join(migrationsDirectory, '20260203000000_initial_schema.sql'))
const sha384 = (bytes: Buffer) => createHash('sha384').update(bytes).digest()

function databaseBySqlx(): string {
  const path = temporaryPath()
  makeDatabaseBySqlx(path)
  return path
}

/** Copies of the migrations in a folder that the test may change. */
function copiedMigrations(): string {
  const directory = temporaryPath('migrations')
  cpSync(migrationsDirectory, directory, { recursive: true })
  return directory
}

function withRawDatabase<T>(path: string, use: (database: SQLite.Database) => T): T {
  const database = new SQLite(path)
  try {
    return use(database)
  } finally {
    database.close()
  }
}

describe('the ledger', () => {
  test('is what sqlx writes', () => {
    const path = temporaryPath()
    openDatabase(path).close()

    const { ledger, rows } = withRawDatabase(path, (database) => ({
      ledger: database.prepare("SELECT sql FROM sqlite_master WHERE name = '_sqlx_migrations'").pluck().get(),
      rows: database.prepare('SELECT * FROM _sqlx_migrations ORDER BY version').all(),
    }))

    expect(ledger).toBe(SQLX_LEDGER.trim().replace('IF NOT EXISTS ', '').replace(/;$/, ''))
    const files = readdirSync(migrationsDirectory)
      .filter((name) => name.endsWith('.sql'))
      .sort()
    expect(rows).toEqual(
      files.map((name) => ({
        version: Number(name.split('_')[0]),
        description: name.slice(name.indexOf('_') + 1, -'.sql'.length).replaceAll('_', ' '),
        installed_on: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
        success: 1,
        checksum: sha384(readFileSync(join(migrationsDirectory, name))),
        execution_time: expect.any(Number),
      })),
    )
    expect(sha384(initial).toString('hex')).toMatch(/^f9fa4d0d3a3c7f67/)
    const times = rows.map((row) => (row as { execution_time: number }).execution_time)
    // Nanoseconds: not one statement of SQLite takes less than a microsecond.
    for (const time of times) expect(time).toBeGreaterThan(1000)
  })

  test('lists the files by version, and only those that are named as migrations', () => {
    const directory = temporaryPath('migrations')
    mkdirSync(directory)
    for (const name of ['10_ten.sql', '9_nine_and_more.sql', 'README.md', '11_eleven.txt', 'x_y.sql']) {
      writeFileSync(join(directory, name), '')
    }
    expect(readMigrations(directory).map(({ version, description }) => [version, description])).toEqual([
      [9, 'nine and more'],
      [10, 'ten'],
    ])
  })
})

describe('a database made by the sqlx migrator', () => {
  test('keeps its rows and ids, and gets the later migrations', () => {
    const path = databaseBySqlx()
    const timestamps = {
      '2026-02-03T12:00:00.123456789+00:00': '2026-02-03T12:00:00.123Z',
      '2026-02-03T12:00:00+00:00': '2026-02-03T12:00:00.000Z',
      '2026-02-03T14:30:00.5+02:30': '2026-02-03T12:00:00.500Z',
      '2026-02-03 12:00:00': '2026-02-03T12:00:00.000Z',
      yesterday: 'yesterday',
      '2461075.5': '2461075.5',
    }
    withRawDatabase(path, (database) => {
      const insert = database.prepare(
        "INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success) VALUES ('a', ?, 'm', 5, 1)",
      )
      for (const timestamp of Object.keys(timestamps)) insert.run(timestamp)
      // Ids that were given and are gone must not be given again.
      insert.run('gone')
      database.exec("DELETE FROM requests WHERE timestamp = 'gone'; DELETE FROM requests WHERE id = 2")
    })

    const database = openDatabase(path)

    const expected = Object.values(timestamps)
      .map((timestamp, index) => ({ id: index + 1, timestamp, model: 'm', segment_id: null, labels: null }))
      .filter(({ id }) => id !== 2)
    expect(
      database.prepare('SELECT id, timestamp, model, segment_id, labels FROM requests ORDER BY id').all(),
    ).toEqual(expected)
    expect(database.prepare('SELECT last_id FROM unjournaled_requests').all()).toEqual([{ last_id: 7 }])
    expect(
      database.prepare('SELECT version, execution_time > 0 FROM _sqlx_migrations').pluck().all(),
    ).toEqual(packagedMigrations().map(({ version }) => version))
    database.close()
  })

  test('keeps the row that sqlx wrote in the ledger', () => {
    const path = databaseBySqlx()
    const first = 'SELECT * FROM _sqlx_migrations WHERE version = 20260203000000'
    const before = withRawDatabase(path, (database) => database.prepare(first).get())
    openDatabase(path).close()
    expect(withRawDatabase(path, (database) => database.prepare(first).get())).toEqual(before)
  })

  test('without rows has no id after which those of the journal begin', () => {
    const database = openDatabase(databaseBySqlx())
    expect(database.prepare('SELECT last_id FROM unjournaled_requests').all()).toEqual([{ last_id: 0 }])
    database.close()
  })
})

describe('refused', () => {
  test('an applied migration whose file was edited since, by name', () => {
    const path = temporaryPath()
    openDatabase(path).close()
    const directory = copiedMigrations()
    appendFileSync(join(directory, '20261122000000_journal_positions.sql'), '-- a later thought\n')

    const error = withRawDatabase(path, (database) =>
      databaseErrorOf(() => migrate(database, path, readMigrations(directory))),
    )

    expect(error).toMatchObject({ code: 'MIGRATION_EDITED', path })
    expect(error.message).toContain('20261122000000_journal_positions.sql')
  })

  test.each([
    {
      name: 'a checksum that differs',
      damage: "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 20260203000000",
      code: 'MIGRATION_EDITED',
      names: '20260203000000_initial_schema.sql',
    },
    {
      name: 'a migration that this program does not have',
      damage: "INSERT INTO _sqlx_migrations VALUES (20990101000000, 'from the future', '', TRUE, x'00', 1)",
      code: 'DATABASE_TOO_NEW',
      names: '20990101000000 (from the future)',
    },
    {
      name: 'a migration that did not succeed',
      damage: 'UPDATE _sqlx_migrations SET success = FALSE WHERE version = 20261122000001',
      code: 'MIGRATION_INCOMPLETE',
      names: '20261122000001 (requests from journal)',
    },
  ])('$name, by every open, and nothing is changed', ({ damage, code, names }) => {
    const path = temporaryPath()
    openDatabase(path).close()
    withRawDatabase(path, (database) => database.exec(damage))
    const observer = new SQLite(path, { readonly: true })
    const before = observer.pragma('data_version', { simple: true })

    for (const open of [openDatabase, openDatabaseReadOnly]) {
      const error = databaseErrorOf(() => open(path))
      expect(error).toMatchObject({ code, path })
      expect(error.message).toContain(names)
    }

    expect(observer.pragma('data_version', { simple: true })).toBe(before)
    observer.close()
  })
})

describe('a migration that fails', () => {
  test('leaves neither its body nor its ledger row, and those before it stay', () => {
    const path = temporaryPath()
    const directory = copiedMigrations()
    const failing = join(directory, '20991231000000_fails.sql')
    writeFileSync(failing, 'CREATE TABLE half (a);\nINSERT INTO nowhere VALUES (1);\n')

    withRawDatabase(path, (database) => {
      const error = databaseErrorOf(() => migrate(database, path, readMigrations(directory)))
      expect(error).toMatchObject({ code: 'MIGRATION_FAILED', path })
      expect(error.message).toContain('20991231000000_fails.sql')
      expect(error.message).toContain('nowhere')
      expect(database.inTransaction).toBe(false)
      expect(database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'half'").get()).toBeUndefined()
      expect(database.prepare('SELECT max(version) FROM _sqlx_migrations').pluck().get()).toBe(
        packagedMigrations().at(-1)?.version,
      )

      writeFileSync(failing, 'CREATE TABLE whole (a);\n')
      migrate(database, path, readMigrations(directory))
      expect(database.prepare('SELECT max(version) FROM _sqlx_migrations').pluck().get()).toBe(20991231000000)
    })
  })

  test('leaves no ledger when it is the first', () => {
    const path = temporaryPath()
    const directory = join(dirname(path), 'migrations')
    mkdirSync(directory)
    writeFileSync(join(directory, '1_fails.sql'), 'CREATE TABLE half (a); nonsense;')

    withRawDatabase(path, (database) => {
      const error = databaseErrorOf(() => migrate(database, path, readMigrations(directory)))
      expect(error.code).toBe('MIGRATION_FAILED')
      expect(database.prepare('SELECT count(*) FROM sqlite_master').pluck().get()).toBe(0)
    })
  })
})
