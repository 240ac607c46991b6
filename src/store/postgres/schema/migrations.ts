import { createHash } from 'node:crypto'
import type { PostgresAddress } from '../connection/address.js'
import { Connection } from '../connection/connection.js'
import { PostgresError } from '../connection/errors.js'
import { MIGRATION_FILES } from './migration-files.js'

/** The name and the text of one file of migrations/postgres. */
export interface MigrationFile {
  readonly fileName: string
  readonly sql: string
}

interface LedgerRow {
  file_name: string
  checksum: string
}

export interface MigrateOptions {
  /**
   * For how many months from now partitions are made.
   * @default 24
   */
  monthsAhead?: number | undefined
}

/** What a migration did. */
export interface MigrateResult {
  /** The names of the files that were applied, in order. */
  applied: string[]
  /** How many rows were moved to the partition of their month. */
  moved: number
}

/**
 * Makes the schema what this program needs: applies the migrations that it lacks, makes partitions
 * ahead, and moves rows into them. One process at a time does this, whichever host it runs on.
 *
 * @throws PostgresError like `checkSchema`, except SCHEMA_MISSING and SCHEMA_BEHIND.
 */
export async function migratePostgres(
  address: PostgresAddress,
  schema: string,
  { monthsAhead = 24 }: MigrateOptions = {},
): Promise<MigrateResult> {
  const connection = await Connection.open({ address, schema, purpose: 'migrate' })
  try {
    return await connection.transaction(async () => {
      await connection.run('SELECT pg_advisory_xact_lock(hashtext($1))', `request-journal migrate ${schema}`)
      const name = schema.replaceAll('"', '""')
      const exists = await connection.one('SELECT 1 FROM pg_namespace WHERE nspname = $1', schema)
      // Whoever owns an existing schema needn't have the right to create one.
      if (exists === undefined) await connection.exec(`CREATE SCHEMA "${name}"`)
      await connection.exec(
        `CREATE TABLE IF NOT EXISTS schema_migrations (
           file_name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())`,
      )
      const applied: string[] = []
      for (const { fileName, sql } of await pendingMigrations(connection)) {
        await connection.exec(sql)
        const insert = 'INSERT INTO schema_migrations (file_name, checksum) VALUES ($1, $2)'
        await connection.run(insert, fileName, checksumOf(sql))
        applied.push(fileName)
      }
      return { applied, moved: await makePartitions(connection, monthsAhead) }
    })
  } finally {
    await connection.close()
  }
}

/**
 * Connects to an address and checks the schema there.
 *
 * @throws PostgresError, as a rejection: as `Connection.open` and `checkSchema`.
 */
export async function checkPostgres(address: PostgresAddress, schema: string): Promise<void> {
  const connection = await Connection.open({ address, schema, purpose: 'check', isReader: true })
  try {
    await connection.transaction(() => checkSchema(connection, schema))
  } finally {
    await connection.close()
  }
}

/**
 * Checks that the schema is the one that this program needs. Call it in a transaction.
 *
 * @throws PostgresError SCHEMA_MISSING, SCHEMA_BEHIND, SCHEMA_TOO_NEW, MIGRATION_EDITED.
 */
export async function checkSchema(connection: Connection, schema: string): Promise<void> {
  const advice = 'run `request-journal migrate` as its owner'
  const ledger = await connection.one<{ found: string | null }>(
    "SELECT to_regclass('schema_migrations')::text AS found",
  )
  if (ledger?.found === null) {
    const text = `the schema ${schema} has no tables of request-journal: ${advice}`
    throw new PostgresError('SCHEMA_MISSING', connection.name, text)
  }
  const pending = await pendingMigrations(connection)
  const [first] = pending
  if (first === undefined) return
  const text = `the schema ${schema} lacks ${pending.length} of this version's migrations, from ${first.fileName} on`
  throw new PostgresError('SCHEMA_BEHIND', connection.name, `${text}: ${advice}`)
}

async function pendingMigrations(connection: Connection): Promise<MigrationFile[]> {
  const rows = await readLedger(connection)
  const known = new Map(MIGRATION_FILES.map((file) => [file.fileName, file]))
  for (const { file_name, checksum } of rows) {
    const file = known.get(file_name)
    if (file === undefined) {
      const text = `the schema has the migration ${file_name}, which this program doesn't have`
      const advice = 'use the version of request-journal that made it, or a newer one'
      throw new PostgresError('SCHEMA_TOO_NEW', connection.name, `${text}: ${advice}`)
    }
    if (checksumOf(file.sql) !== checksum) {
      const text = `${file_name} was edited after it was applied here`
      const advice = 'restore its text, and put the change into a new migration'
      throw new PostgresError('MIGRATION_EDITED', connection.name, `${text}: ${advice}`)
    }
  }
  const applied = new Set(rows.map((row) => row.file_name))
  return MIGRATION_FILES.filter(({ fileName }) => !applied.has(fileName))
}

/**
 * @throws PostgresError SCHEMA_MISSING if another program keeps a ledger of its own under this
 *   name.
 */
async function readLedger(connection: Connection): Promise<LedgerRow[]> {
  try {
    return await connection.all<LedgerRow>('SELECT file_name, checksum FROM schema_migrations')
  } catch (error) {
    if (!(error instanceof PostgresError) || error.code !== 'SCHEMA_MISSING') throw error
    const text = 'its table schema_migrations belongs to another program: name another schema with --schema'
    throw new PostgresError('SCHEMA_MISSING', connection.name, text, { cause: error.cause })
  }
}

/** Makes partitions for the months whose rows have none, and for the coming months. */
async function makePartitions(connection: Connection, monthsAhead: number): Promise<number> {
  const months = await connection.all<{ month: string }>(
    `SELECT DISTINCT date_trunc('month', timestamp) AS month FROM requests_other
     WHERE timestamp >= '2020-01-01Z' AND timestamp < '2100-01-01Z'`,
  )
  // A row that others add meanwhile would prevent the partition of its month from being made.
  if (months.length > 0) await connection.exec('LOCK TABLE requests_other IN ACCESS EXCLUSIVE MODE')
  let moved = 0
  for (const { month } of months) {
    // PostgreSQL refuses a partition to which rows of the default partition belong.
    await connection.exec('CREATE TEMP TABLE moved_requests (LIKE requests) ON COMMIT DROP')
    moved += await connection.run(
      `WITH gone AS (
         DELETE FROM requests_other WHERE timestamp >= $1 AND timestamp < $1::timestamptz + INTERVAL '1 month' RETURNING *)
       INSERT INTO moved_requests SELECT * FROM gone`,
      month,
    )
    await connection.run('SELECT make_requests_partition($1)', month)
    await connection.exec('INSERT INTO requests SELECT * FROM moved_requests; DROP TABLE moved_requests')
  }
  await connection.run(
    `SELECT make_requests_partition(month) FROM generate_series(
       date_trunc('month', now()) - INTERVAL '1 month', now() + make_interval(months => $1), INTERVAL '1 month') month`,
    monthsAhead,
  )
  return moved
}

function checksumOf(sql: string): string {
  return createHash('sha256').update(sql).digest('hex')
}
