import { Option } from 'commander'
import { countText } from '../maintenance/count-text.js'
import { withElapsedTime } from './output/elapsed.js'
import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'
import { parseDatabase } from './run/options.js'

export function addMigrate(program: ProgramCommand): void {
  program
    .command('migrate')
    .summary('prepare a PostgreSQL database')
    .description(
      'Brings a schema in PostgreSQL to what this version needs: tables, and partitions for the months ' +
        'ahead. Run it as the owner of the schema before the first projector, after each upgrade, and once a ' +
        'year for more partitions. No other command changes the schema. SQLite databases are migrated when ' +
        'they are opened for writing.',
    )
    .addOption(
      new Option('--db <address>', 'the database: postgres://user@host/database')
        .env('REQUEST_JOURNAL_DB')
        .makeOptionMandatory()
        .argParser(parseDatabase),
    )
    .schemaOption()
    .jsonOption()
    .examples('request-journal migrate --db postgres://owner@db.example/requests')
    .action(migrate)
}

async function migrate(flags: JsonFlag & { database: string; schema: string }): Promise<void> {
  const { postgresAddress } = await import('../store/postgres/connection/address.js')
  const { migratePostgres } = await import('../store/postgres/schema/migrations.js')
  const { schema } = flags
  const address = postgresAddress(flags.database)
  const result = await withElapsedTime(() => migratePostgres(address, schema))
  printAnswer({ database: address.name, schema, ...result }, flags, () => {
    const { applied, moved } = result
    const done =
      applied.length === 0
        ? 'was up to date'
        : `was brought up to date by ${countText(applied.length, 'migration')}`
    const rows = moved === 0 ? '' : `; ${countText(moved, 'row')} moved to the partition of their month`
    return visible(`the schema ${schema} of ${address.name} ${done}${rows}`)
  })
}
