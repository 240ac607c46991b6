import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect } from 'vitest'
import { restore } from '../../../src/maintenance/index.js'
import { projectOnce, replay, startProjector } from '../../../src/projection/index.js'
import { openDatabaseReadOnly, stats } from '../../../src/queries/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { ask } from '../../support/fleet-checker.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { test } from '../../support/workspace.js'

const schema = `schema_${randomUUID().replaceAll('-', '')}`
const ledger = `${schema}.schema_migrations`

/** How a schema isn't ours, what every command says of it, and what `migrate` does. */
const STATES: [state: string, sql: string, refusal: object, migrated: object | 'mended'][] = [
  [
    'isn’t there',
    `DROP SCHEMA ${schema} CASCADE`,
    { code: 'SCHEMA_MISSING', message: expect.stringContaining('request-journal migrate') },
    'mended',
  ],
  [
    'is empty',
    `DROP SCHEMA ${schema} CASCADE; CREATE SCHEMA ${schema}`,
    { code: 'SCHEMA_MISSING', message: expect.stringContaining('request-journal migrate') },
    'mended',
  ],
  [
    'has the migrations of another program',
    `DROP SCHEMA ${schema} CASCADE; CREATE SCHEMA ${schema}; CREATE TABLE ${ledger} (version TEXT)`,
    { code: 'SCHEMA_MISSING', message: expect.stringContaining('--schema') },
    { code: 'SCHEMA_MISSING', message: expect.stringContaining('--schema') },
  ],
  [
    'has a migration that this program doesn’t have',
    `INSERT INTO ${ledger} VALUES ('20990101000000_later.sql', 'x')`,
    { code: 'SCHEMA_TOO_NEW', message: expect.stringContaining('20990101000000_later.sql') },
    { code: 'SCHEMA_TOO_NEW' },
  ],
  [
    'has a migration whose text was edited',
    `UPDATE ${ledger} SET checksum = 'x' WHERE file_name LIKE '%initial%'`,
    { code: 'MIGRATION_EDITED', message: expect.stringContaining('_initial_schema.sql') },
    { code: 'MIGRATION_EDITED' },
  ],
  [
    'lacks a table, as after half a restore',
    `DROP TABLE ${schema}.journals CASCADE`,
    { code: 'SCHEMA_MISSING' },
    {},
  ],
]

describe.skipIf(noPostgres !== null)(
  `a schema that isn’t this program’s${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    let database = ''

    beforeAll(async () => {
      if (noPostgres === null) database = await sharedPostgres()
    })

    test.for(STATES)(
      'is refused by every command if it %s',
      async ([, sql, refusal, migrated], { workspace }) => {
        const { journal } = workspace
        writeSegment(journal, lines(requestLine('a')))
        await ask(database, `DROP SCHEMA IF EXISTS ${schema} CASCADE`)
        await migratePostgres(postgresAddress(database), schema, { monthsAhead: 1 })
        await ask(database, sql)
        const options = { journal, database, schema }
        for (const command of [projectOnce, replay, startProjector]) {
          await expect(command(options), command.name).rejects.toMatchObject(refusal)
        }
        const asked = { journal: `${journal}.restored`, journalId: 'test-journal' }
        await expect(restore({ ...options, ...asked })).rejects.toMatchObject(refusal)
        expect(() => {
          const opened = openDatabaseReadOnly(database, { schema })
          try {
            stats(opened)
          } finally {
            opened.close()
          }
        }).toThrow(expect.objectContaining({ code: (refusal as { code: string }).code }))
        const migrate = () => migratePostgres(postgresAddress(database), schema, { monthsAhead: 1 })
        if (migrated !== 'mended') {
          if ('code' in migrated) await expect(migrate()).rejects.toMatchObject(migrated)
          return
        }
        await migrate()
        await expect(projectOnce(options)).resolves.toMatchObject({ projected: 1 })
      },
    )
  },
)
