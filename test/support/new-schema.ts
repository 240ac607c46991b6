import { randomUUID } from 'node:crypto'
import { postgresAddress } from '../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../src/store/postgres/schema/migrations.js'
import { sharedPostgres } from './postgres.js'

/** Makes a schema in the server that tests share, with its tables. Its name begins with `name`. */
export async function newSchema(name: string): Promise<{ database: string; schema: string }> {
  const database = await sharedPostgres()
  const schema = `${name}_${randomUUID().replaceAll('-', '')}`
  await migratePostgres(postgresAddress(database), schema, { monthsAhead: 1 })
  return { database, schema }
}
