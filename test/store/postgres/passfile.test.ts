import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { passwordFromFile } from '../../../src/store/postgres/connection/passfile.js'
import { test } from '../../support/workspace.js'

const LOGIN = { host: 'db.example', port: 5432, database: 'requests', user: 'projector' }

test.for<[title: string, line: string, password: string | undefined]>([
  ['each field as it is', 'db.example:5432:requests:projector:secret', 'secret'],
  ['any', '*:*:*:*:secret', 'secret'],
  ['another host', 'other:*:*:*:secret', undefined],
  ['another port', '*:5433:*:*:secret', undefined],
  ['another database', '*:*:other:*:secret', undefined],
  ['another user', '*:*:*:other:secret', undefined],
  ['a part of a name', '*:*:*:projecto:secret', undefined],
  ['the first that fits', 'x:*:*:*:wrong\n*:*:*:*:right\n*:*:*:*:late', 'right'],
  ['a comment', '#*:*:*:*:secret', undefined],
  ['characters that are escaped', '*:*:*:pro\\jector:se\\:cr\\\\et', 'se:cr\\et'],
  ['no password', '*:*:*:*:', undefined],
  ['too few fields', '*:*:*:secret', undefined],
  ['a line of Windows', '*:*:*:*:secret\r\n', 'secret'],
])('the passfile: %s', ([, line, password], { workspace }) => {
  const path = join(workspace.directory, 'pgpass')
  writeFileSync(path, line, { mode: 0o600 })
  expect(passwordFromFile(LOGIN, path)).toBe(password)
})

test('the passfile: a socket is localhost, and a file that is missing has nothing', ({ workspace }) => {
  const path = join(workspace.directory, 'pgpass')
  expect(passwordFromFile(LOGIN, path)).toBeUndefined()
  writeFileSync(path, 'localhost:*:*:*:secret', { mode: 0o600 })
  expect(passwordFromFile({ ...LOGIN, host: '/var/run/postgresql' }, path)).toBe('secret')
})
