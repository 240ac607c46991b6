import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openDatabase, openDatabaseReadOnly } from '../../../../src/store/sqlite/connection/database.js'
import { isLocked } from '../../../../src/store/sqlite/connection/lock.js'
import { migrate, packagedMigrations } from '../../../../src/store/sqlite/schema/migrations.js'
import { builtModule, Child, databaseErrorOf, temporaryPath } from '../support.js'

describe('openDatabase', () => {
  test('makes the folders, the file and every table, with the pragmas of the design', () => {
    const path = temporaryPath('some/missing/folders/requests.db')
    const database = openDatabase(path)

    expect(database.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(database.pragma('synchronous', { simple: true })).toBe(1)
    expect(database.pragma('foreign_keys', { simple: true })).toBe(1)
    expect(database.pragma('busy_timeout', { simple: true })).toBe(5000)
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()
    expect(tables).toEqual(
      expect.arrayContaining(['requests', 'token_ratios', 'journal_segments', 'rejected_lines']),
    )
    database.close()
  })

  test('writes nothing to a database that is up to date', () => {
    const path = temporaryPath()
    openDatabase(path).close()
    const before = statSync(path, { bigint: true })
    const observer = new SQLite(path, { readonly: true })
    const versionBefore = observer.pragma('data_version', { simple: true })

    const database = openDatabase(path)
    const changes = database.prepare('SELECT total_changes()').pluck().get()
    database.close()

    expect(changes).toBe(0)
    expect(observer.pragma('data_version', { simple: true })).toBe(versionBefore)
    observer.close()
    const after = statSync(path, { bigint: true })
    expect([after.size, after.mtimeNs]).toEqual([before.size, before.mtimeNs])
  })

  test('opens an up-to-date database while another process holds the write lock', () => {
    const path = temporaryPath()
    const writer = openDatabase(path)
    writer.exec('BEGIN IMMEDIATE')

    const database = openDatabase(path)

    expect(database.prepare('SELECT count(*) FROM requests').pluck().get()).toBe(0)
    database.close()
    writer.close()
  })

  test('follows a symlink to the one database', () => {
    const path = temporaryPath()
    openDatabase(path).close()
    const link = join(dirname(path), 'link.db')
    symlinkSync(path, link)

    const database = openDatabase(link)

    expect(existsSync(`${path}-wal`)).toBe(true)
    database.close()
  })

  test('lets eight processes open one new database at once', async () => {
    const path = temporaryPath('new/requests.db')
    const children = Array.from(
      { length: 8 },
      () =>
        new Child(`
          import { once } from 'node:events'
          import { openDatabase } from ${builtModule('database')}
          console.log('ready')
          await once(process.stdin, 'data')
          try {
            const database = openDatabase(${JSON.stringify(path)})
            console.log(database.prepare('SELECT count(*) FROM _sqlx_migrations').pluck().get())
            database.close()
          } catch (error) {
            console.log(error.code + ' ' + error.message)
          }
          process.exit()`),
    )
    await Promise.all(children.map((child) => child.nextLine()))

    for (const child of children) child.process.stdin.write('go\n')
    const answers = await Promise.all(children.map((child) => child.nextLine()))
    await Promise.all(children.map((child) => child.exited))

    expect(answers).toEqual(Array(8).fill(String(packagedMigrations().length)))
    const database = openDatabaseReadOnly(path)
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
    database.close()
  })
})

describe('openDatabase refuses', () => {
  test('a file that is not a database, and leaves it as it was', () => {
    const path = temporaryPath()
    writeFileSync(path, 'this is a letter, and longer than the header of a database is. '.repeat(40))
    const before = statSync(path, { bigint: true })

    for (const open of [openDatabase, openDatabaseReadOnly]) {
      const error = databaseErrorOf(() => open(path))
      expect(error).toMatchObject({ code: 'NOT_A_DATABASE', path })
      expect(error.cause).toBeInstanceOf(SQLite.SqliteError)
    }

    const after = statSync(path, { bigint: true })
    expect([after.size, after.mtimeNs]).toEqual([before.size, before.mtimeNs])
  })

  test('a path that leads through a file', () => {
    const file = temporaryPath('file')
    writeFileSync(file, '')
    const error = databaseErrorOf(() => openDatabase(join(file, 'below', 'requests.db')))
    expect(error).toMatchObject({ code: 'DATABASE_UNWRITABLE', cause: { code: 'ENOTDIR' } })
    expect(error.message).toContain('below')
  })

  test('a path that is a folder', () => {
    const path = temporaryPath()
    mkdirSync(path)
    for (const open of [openDatabase, openDatabaseReadOnly]) {
      const error = databaseErrorOf(() => open(path))
      expect(error).toMatchObject({ code: 'NOT_A_DATABASE', path })
      expect(error.message).toContain(`found a directory: name a file, such as ${path}/requests.db`)
    }
  })

  test('a FIFO, at which SQLite would wait, as the database and as its lock', () => {
    const path = temporaryPath()
    execFileSync('mkfifo', [path])
    for (const open of [openDatabase, openDatabaseReadOnly]) {
      const error = databaseErrorOf(() => open(path))
      expect(error).toMatchObject({ code: 'NOT_A_DATABASE', path })
      expect(error.message).toContain('found a FIFO')
    }
    rmSync(path)
    openDatabase(path).close()
    execFileSync('mkfifo', [`${path}.lock`])
    expect(databaseErrorOf(() => isLocked(path))).toMatchObject({ code: 'NOT_A_DATABASE' })
  })

  test.skipIf(process.platform !== 'linux')('a folder that takes no files, even from root', () => {
    expect(databaseErrorOf(() => openDatabase('/proc/requests.db')).code).toBe('DATABASE_UNWRITABLE')
    expect(databaseErrorOf(() => openDatabase('/proc/new/requests.db')).code).toBe('DATABASE_UNWRITABLE')
  })

  test.each(['', ':memory:'])('the private database that SQLite makes of %j', (path) => {
    expect(databaseErrorOf(() => openDatabase(path)).code).toBe('DATABASE_UNWRITABLE')
    expect(existsSync(':memory:')).toBe(false)
  })
})

describe('openDatabaseReadOnly', () => {
  test('reads, sees what is committed later, and cannot write', () => {
    const path = temporaryPath()
    const writer = openDatabase(path)
    const reader = openDatabaseReadOnly(path)
    writer.exec("INSERT INTO token_ratios (policy, avg_ratio) VALUES ('cheap', 0.5)")

    expect(reader.prepare('SELECT policy FROM token_ratios').pluck().all()).toEqual(['cheap'])
    expect(() => reader.exec('DELETE FROM token_ratios')).toThrow(/readonly/)
    reader.close()
    writer.close()
  })

  test('refuses a missing database and makes nothing', () => {
    const path = temporaryPath('missing/requests.db')
    expect(databaseErrorOf(() => openDatabaseReadOnly(path))).toMatchObject({
      code: 'DATABASE_MISSING',
      path,
    })
    expect(existsSync(dirname(path))).toBe(false)
  })

  test('refuses a database that is behind, and does not migrate it', () => {
    const path = temporaryPath()
    const database = new SQLite(path)
    const [first, ...others] = packagedMigrations()
    migrate(database, path, first === undefined ? [] : [first])
    database.close()

    const error = databaseErrorOf(() => openDatabaseReadOnly(path))

    expect(error.code).toBe('DATABASE_BEHIND')
    expect(error.message).toContain(`it lacks ${others[0]?.fileName}`)
    expect(error.message).not.toContain(String(first?.fileName))
  })

  test.for([
    ['requests', 'CREATE TABLE requests (x)'],
    ['rollups', 'CREATE TABLE rollups (x)'],
    ['journal_segments', 'CREATE VIEW journal_segments AS SELECT 1'],
  ] as const)('sends nobody to a migration that another program’s %s would make fail', ([, sql]) => {
    const path = temporaryPath()
    const database = new SQLite(path)
    database.exec(sql)
    database.close()

    const [writing, reading] = [openDatabase, openDatabaseReadOnly].map((open) =>
      databaseErrorOf(() => open(path)),
    )

    expect(reading).toMatchObject({ code: 'MIGRATION_FAILED', message: writing?.message })
    expect(reading?.message).toMatch(/name another file with --db, or/)
  })

  test('adds to another program’s tables only when it is told to', () => {
    const path = temporaryPath()
    const database = new SQLite(path)
    database.exec(
      'CREATE TABLE users (name); CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT no_such(); END',
    )
    database.close()

    const error = databaseErrorOf(() => openDatabaseReadOnly(path))

    expect(error.code).toBe('DATABASE_BEHIND')
    expect(error.message).toContain("it has none of request-journal's tables: check the path, or run")
    openDatabase(path).close()
    openDatabaseReadOnly(path).close()
  })

  test('refuses an empty file as behind', () => {
    const path = temporaryPath()
    writeFileSync(path, '')
    expect(databaseErrorOf(() => openDatabaseReadOnly(path)).code).toBe('DATABASE_BEHIND')
    expect(statSync(path).size).toBe(0)
  })
})
