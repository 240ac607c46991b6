import type { Duplex } from 'node:stream'
import type { Client, QueryArrayResult, QueryConfig, QueryResult } from 'pg'
import { type PostgresAddress, TLS_PARAMETERS } from './address.js'
import { CopyIn } from './copy-in.js'
import type { CopyRows } from './copy-rows.js'
import { asPostgresError, isAboutTls, PostgresError } from './errors.js'
import { passwordFromFile } from './passfile.js'
import { type TlsWay, tlsWays } from './tls.js'
import { canonicalTimestamp } from './values.js'

/** A value that a statement may be given. Arrays become arrays of PostgreSQL. */
export type SqlParameter = string | number | bigint | boolean | null | Buffer | readonly SqlParameter[]

export interface ConnectionOptions {
  address: PostgresAddress
  /** The schema in which names without a schema are looked up. */
  schema: string
  /** What `pg_stat_activity` shows as the connection's purpose. */
  purpose: string
  /** How long a statement may wait for a lock, in milliseconds. @default no limit */
  lockTimeoutMs?: number | undefined
  /** Whether transactions only read, and each sees one snapshot of the data. @default false */
  isReader?: boolean | undefined
  /**
   * Whether statements with parameters stay prepared on the server. Otherwise the server plans them
   * anew for all partitions each time. This doesn't work through a pooler.
   * @default false
   */
  keepsStatements?: boolean | undefined
}

/** How long connecting may take. */
const CONNECT_TIMEOUT_MS = 10_000

/** How long closing may take. */
const CLOSE_TIMEOUT_MS = 5000

/**
 * How long a connection may be idle before it is probed. A server that has lost its power doesn't
 * close its connections.
 */
const KEEP_ALIVE_MS = 30_000

/**
 * One connection. Everything runs in transactions, each of which sets the schema and the time zone
 * itself, since a pooler may give each of them another session.
 */
export class Connection {
  readonly name: string
  readonly #client: Client
  readonly #copy: Driver['copy']
  readonly #begin: string
  readonly #keepsStatements: boolean
  /** The names of prepared statements by their SQL. */
  readonly #statements = new Map<string, string>()
  #isLost = false
  #isInTransaction = false

  /** @throws PostgresError, as a rejection. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const driver = await loadDriver(options.address.name)
    const ways = tlsWays(options.address)
    for (let way = 0; ; way++) {
      const client = newClient(driver, options, ways[way] ?? false)
      const connection = new Connection(options, client, driver.copy)
      try {
        await client.connect()
        return connection
      } catch (error) {
        // Doesn't await `end`, which would wait for a server that doesn't answer.
        client.end().catch(() => {})
        if (way + 1 < ways.length && isAboutTls(error)) continue
        throw asPostgresError(error, options.address.name)
      }
    }
  }

  private constructor(options: ConnectionOptions, client: Client, copy: Driver['copy']) {
    this.name = options.address.name
    this.#client = client
    this.#copy = copy
    this.#keepsStatements = options.keepsStatements ?? false
    const { schema, lockTimeoutMs, isReader } = options
    this.#begin = [
      isReader ? 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' : 'BEGIN',
      `SET LOCAL search_path = ${client.escapeIdentifier(schema)}, pg_temp`,
      "SET LOCAL timezone = 'UTC'",
      // With memoize, the planner looked up the sums of each dimension separately, and grouping 30
      // days of ten million rows took 415 ms instead of 17.
      ...(isReader ? ['SET LOCAL enable_memoize = off'] : []),
      ...(lockTimeoutMs === undefined ? [] : [`SET LOCAL lock_timeout = ${lockTimeoutMs}`]),
    ].join('; ')
    const lost = () => {
      this.#isLost = true
    }
    client.on('error', lost).on('end', lost)
  }

  /** Whether the connection to the server is lost. */
  get isLost(): boolean {
    return this.#isLost
  }

  get isInTransaction(): boolean {
    return this.#isInTransaction
  }

  /**
   * Throws if a pooler answers for the server. Its sessions aren't ours for longer than a
   * transaction, so whoever gets a session next would get our session-level lock with it.
   *
   * @throws PostgresError POOLER_BETWEEN
   */
  async refusePooler(): Promise<void> {
    const { rows } = await this.#run(() =>
      this.#client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'),
    )
    // A pooler gives each new client a process id that it has made up.
    if (rows[0]?.pid === (this.#client as Client & { processID: number | null }).processID) return
    const advice = 'give projectors the address of the server itself; readers may use the pooler'
    const found =
      "there is a pooler between this program and the server, through which a projector's lock doesn't hold"
    throw new PostgresError('POOLER_BETWEEN', this.name, `${found}: ${advice}`)
  }

  async begin(): Promise<void> {
    await this.#run(() => this.#client.query(this.#begin))
    this.#isInTransaction = true
  }

  async commit(): Promise<void> {
    this.#isInTransaction = false
    const { command } = await this.#run(() => this.#client.query('COMMIT'))
    // The server answers ROLLBACK to the COMMIT of a transaction that has failed.
    if (command !== 'COMMIT') throw new Error(`unreachable: ${command} instead of COMMIT`)
  }

  /** Never throws, since a transaction whose connection is lost is rolled back anyway. */
  async rollback(): Promise<void> {
    this.#isInTransaction = false
    if (this.#isLost) return
    try {
      await this.#client.query('ROLLBACK')
    } catch {
      // The server rolls back the transaction of a connection that breaks.
      this.#isLost = true
    }
  }

  /** Runs something in the open transaction, or else in one of its own. */
  async transaction<T>(action: () => Promise<T>): Promise<T> {
    if (this.#isInTransaction) return await action()
    await this.begin()
    try {
      const result = await action()
      await this.commit()
      return result
    } catch (error) {
      await this.rollback()
      throw error
    }
  }

  /** Returns the rows of a statement, each an object of its columns. */
  async all<Row extends object>(sql: string, ...values: SqlParameter[]): Promise<Row[]> {
    return (await this.#query<Row>(sql, values)).rows
  }

  /** Returns the rows of a statement, each an array of its columns. */
  async raw<Row extends unknown[]>(sql: string, ...values: SqlParameter[]): Promise<Row[]> {
    const result = await this.#run(() =>
      this.#client.query<Row>({ ...this.#statement(sql, values), rowMode: 'array' }),
    )
    return (result as QueryArrayResult<Row>).rows
  }

  /**
   * Returns the rows of a statement, each an array, and the names of its columns.
   *
   * @param hasBigInts whether integers are bigints.
   */
  async table(sql: string, values: readonly SqlParameter[], hasBigInts: boolean): Promise<Table> {
    const types = { getTypeParser: hasBigInts ? bigIntParserOf : parserOf }
    const { fields, rows } = await this.#run(() =>
      this.#client.query<unknown[]>({ text: sql, values: values.map(textOfBigInt), rowMode: 'array', types }),
    )
    return { columns: fields.map(({ name }) => name), rows }
  }

  async one<Row extends object>(sql: string, ...values: SqlParameter[]): Promise<Row | undefined> {
    return (await this.all<Row>(sql, ...values))[0]
  }

  /** @returns how many rows were changed. */
  async run(sql: string, ...values: SqlParameter[]): Promise<number> {
    return (await this.#query(sql, values)).rowCount ?? 0
  }

  /** Runs several statements without parameters. */
  async exec(sql: string): Promise<void> {
    await this.#run(() => this.#client.query(sql))
  }

  /** Inserts rows by COPY, the fastest way there is. */
  async copy(table: string, columns: readonly string[], rows: CopyRows): Promise<void> {
    if (rows.isEmpty) return
    const copy = this.startCopy(table, columns)
    await copy.write(rows.take())
    await copy.end()
  }

  /** Begins a COPY that takes rows as they come. No other statement runs until it ends. */
  startCopy(table: string, columns: readonly string[]): CopyIn {
    const stream = this.#copy(`COPY ${table} (${columns.join(', ')}) FROM STDIN`)
    return new CopyIn(this.#client.query(stream), (error) => asPostgresError(error, this.name))
  }

  /**
   * Resolves once the server has ended the session, whose locks are free from then on, or after 5 s
   * if it doesn't answer.
   */
  async close(): Promise<void> {
    const { connection } = this.#client as Client & { connection: { stream: Duplex } }
    const timer = setTimeout(() => connection.stream.destroy(), CLOSE_TIMEOUT_MS)
    try {
      await this.#client.end()
    } catch {
      // If the server is gone, the connection is closed already.
    } finally {
      clearTimeout(timer)
    }
  }

  async #query<Row extends object>(sql: string, values: readonly SqlParameter[]): Promise<QueryResult<Row>> {
    return await this.#run(() => this.#client.query<Row>(this.#statement(sql, values)))
  }

  #statement(text: string, parameters: readonly SqlParameter[]): QueryConfig {
    const statement = { text, values: parameters.map(textOfBigInt) }
    if (!this.#keepsStatements || parameters.length === 0) return statement
    const name = this.#statements.get(text) ?? `statement_${this.#statements.size + 1}`
    this.#statements.set(text, name)
    return { ...statement, name }
  }

  async #run<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw asPostgresError(error, this.name)
    }
  }
}

/** @param way how TLS is used. It isn't used on a socket in the file system. */
function newClient(
  { Client: DriverClient }: Driver,
  { address, purpose }: ConnectionOptions,
  way: TlsWay,
): Client {
  const client = (ssl: TlsWay) => {
    const made = new DriverClient({
      connectionString: withoutTls(address.url),
      application_name: `request-journal ${purpose}`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      types: { getTypeParser: parserOf },
      ssl,
    })
    // Set here and not as an option, because the driver takes an address with a user and no
    // password for one with an empty password, which overrides the option.
    made.password = process.env['PGPASSWORD'] || passwordFor
    return made
  }
  const plain = client(false)
  return way === false || plain.host.startsWith('/') ? plain : client(way)
}

/** The driver accepts a function here and calls it with the login, but its types don't say so. */
const passwordFor = passwordFromFile as unknown as string

/**
 * Returns an address without its TLS parameters, which the driver would interpret differently from
 * libpq.
 */
function withoutTls(address: string): string {
  const url = new URL(address)
  if (!TLS_PARAMETERS.some((name) => url.searchParams.has(name))) return address
  for (const name of TLS_PARAMETERS) url.searchParams.delete(name)
  return url.href
}

/** The rows of a statement. */
export interface Table {
  columns: string[]
  rows: unknown[][]
}

interface Driver {
  Client: typeof Client
  copy: typeof import('pg-copy-streams').from
}

/** @throws PostgresError DRIVER_MISSING */
async function loadDriver(address: string): Promise<Driver> {
  try {
    // Imported one by one, because a bundler accepts an import that may fail only if it is a
    // statement directly inside a `try`.
    const pg = await import('pg')
    const streams = await import('pg-copy-streams')
    return { Client: pg.default.Client, copy: streams.from }
  } catch (error) {
    const advice = 'run `npm install pg pg-copy-streams`'
    throw new PostgresError('DRIVER_MISSING', address, `PostgreSQL's driver isn't installed: ${advice}`, {
      cause: error,
    })
  }
}

function textOfBigInt(value: SqlParameter): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

/** How values are converted, by PostgreSQL's numbers for their types. */
const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't',
  17: (text) => Buffer.from(text.slice(2), 'hex'),
  20: Number,
  21: Number,
  23: Number,
  701: Number,
  1184: canonicalTimestamp,
  1700: Number,
}

/** PostgreSQL's numbers for integers and decimals. */
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 1700])

function bigIntParserOf(type: number): (text: string) => unknown {
  return NUMBERS.has(type) ? BigInt : parserOf(type)
}

/** Values of other types stay text, including JSON, which has to be compared as it is stored. */
function parserOf(type: number): (text: string) => unknown {
  return PARSERS[type] ?? ((text) => text)
}
