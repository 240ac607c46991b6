import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { projectOnce } from '../../../src/projection/projector.js'
import { replay } from '../../../src/projection/replay.js'
import { openDatabaseReadOnly, stats } from '../../../src/queries/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { ask } from '../../support/fleet-checker.js'
import { writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { codeBlocks, readPage } from '../../support/pages.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { test } from '../../support/workspace.js'

const name = `roles_${randomUUID().slice(0, 8)}`

const fleetPage = readPage('docs/fleet.md')

/** The questions that docs/fleet.md asks by psql, of this run's schema. */
function documentedQuestions(): string[] {
  const questions = [...fleetPage.matchAll(/^psql \S*c "(.*?)"/gms)].map(([, sql = '']) => sql)
  expect(questions).toHaveLength(2)
  return questions.map((sql) => sql.replaceAll('request_journal', name))
}

/** What docs/fleet.md tells a superuser to run, with names of this run's own. */
function roleSql(): string {
  const [, sql = ''] = /```sql\n(.*?)```/s.exec(fleetPage) ?? []
  return sql.replaceAll('request_journal', name).replaceAll('journal_', `${name}_`)
}

test.skipIf(noPostgres !== null)(
  'the roles of docs/fleet.md migrate, project, replay and read, and may do nothing else',
  async ({ workspace }) => {
    const { journal } = workspace
    const superuser = await sharedPostgres()
    const as = (role: string) => superuser.replace('tester@', `${name}_${role}@`)
    const run = async (address: string, sql: string) => {
      const options = { address: postgresAddress(address), schema: name, purpose: 'test' }
      const connection = await Connection.open(options)
      try {
        await connection.transaction(() => connection.exec(sql))
      } finally {
        await connection.close()
      }
    }
    await run(superuser, roleSql())
    await migratePostgres(postgresAddress(as('owner')), name, { monthsAhead: 0 })
    writeSegment(
      journal,
      `${requestLine('a')}\n${requestLine('b', { timestamp: '2031-05-01T00:00:00.000Z' })}\n`,
    )
    const database = as('projector')
    expect((await projectOnce({ journal, database, schema: name })).projected).toBe(2)
    expect((await replay({ journal, database, schema: name })).projected).toBe(2)
    const reader = openDatabaseReadOnly(as('reader'), { schema: name })
    try {
      expect(stats(reader).counts.total).toBe(2)
    } finally {
      reader.close()
    }
    for (const sql of documentedQuestions()) await run(as('reader'), sql)
    const [spread = ''] = codeBlocks('docs/fleet.md', 'Beyond one server').map(({ text }) => text)
    const named = [...spread.matchAll(/'([a-z_]+)'/g)].map(([, table]) => table)
    const tables = `SELECT relname FROM pg_class WHERE relnamespace = '${name}'::regnamespace AND relkind IN ('r', 'p')
      AND NOT relispartition AND relname <> 'schema_migrations'`
    const [dropped] = /\w+_fkey/.exec(spread) ?? []
    const there = (await ask(superuser, tables)).map(({ relname }) => relname)
    expect(there.toSorted()).toEqual([...new Set(named)].filter((table) => table !== 'journal').toSorted())
    const key = `SELECT 1 FROM pg_constraint WHERE conname = '${dropped}' AND connamespace = '${name}'::regnamespace`
    expect(await ask(superuser, key)).toHaveLength(1)
    const denied = { code: 'RIGHTS_MISSING' }
    await expect(run(database, 'CREATE TABLE other (id INTEGER)')).rejects.toMatchObject(denied)
    await expect(run(as('reader'), 'DELETE FROM requests')).rejects.toMatchObject(denied)
    await expect(run(as('reader'), 'SELECT make_requests_partition(now())')).rejects.toMatchObject(denied)
  },
)
