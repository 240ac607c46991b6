import SQLite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { asDatabaseError, DatabaseError, isBusy } from '../../../../src/store/sqlite/connection/errors.js'

test.each([
  ['SQLITE_BUSY', 'DATABASE_BUSY'],
  ['SQLITE_BUSY_RECOVERY', 'DATABASE_BUSY'],
  ['SQLITE_PROTOCOL', 'DATABASE_BUSY'],
  ['SQLITE_NOTADB', 'NOT_A_DATABASE'],
  ['SQLITE_CORRUPT_INDEX', 'DATABASE_DAMAGED'],
  ['SQLITE_FULL', 'DATABASE_UNWRITABLE'],
  ['SQLITE_IOERR_WRITE', 'DATABASE_UNWRITABLE'],
  ['SQLITE_CANTOPEN', 'DATABASE_UNWRITABLE'],
  ['SQLITE_READONLY_DIRECTORY', 'DATABASE_UNWRITABLE'],
])('%s is told as %s, with its cause', (sqliteCode, code) => {
  const cause = new SQLite.SqliteError('what SQLite says', sqliteCode)
  const error = asDatabaseError(cause, '/data/requests.db')
  expect(error).toBeInstanceOf(DatabaseError)
  expect(error).toMatchObject({ name: 'DatabaseError', code, path: '/data/requests.db', cause })
  expect(isBusy(cause)).toBe(code === 'DATABASE_BUSY')
})

test.each([
  ['no such table: t', 'SQLITE_ERROR'],
  ['no such column: policy', 'SQLITE_ERROR'],
  ['table requests has no column named policy', 'SQLITE_ERROR'],
  ['UNIQUE constraint failed: requests.correlation_id', 'SQLITE_CONSTRAINT_UNIQUE'],
  ['refused', 'SQLITE_CONSTRAINT_TRIGGER'],
])('%s is told as a changed schema, with a look at it as advice', (message, sqliteCode) => {
  const error = asDatabaseError(new SQLite.SqliteError(message, sqliteCode), '/data/requests.db')
  expect(error).toMatchObject({
    code: 'SCHEMA_CHANGED',
    message: expect.stringContaining('`request-journal doctor`'),
  })
})

test('an error that says nothing about the file is left as it is', () => {
  const ours = new SQLite.SqliteError('near "x": syntax error', 'SQLITE_ERROR')
  const other = new TypeError('x')
  expect(asDatabaseError(ours, 'p')).toBe(ours)
  expect(asDatabaseError(other, 'p')).toBe(other)
})
