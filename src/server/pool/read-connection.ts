import type { Statement } from 'better-sqlite3'
import { type FileIdentity, fileIdentityAt, isSameFile } from '../../journal/file-identity.js'
import {
  type Database,
  openDatabaseReadOnly,
  type PostgresQueryConnection,
  type QueryDatabase,
} from '../../queries/index.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import { isOutdatedCopy } from '../../store/sqlite/connection/read-only-mount-copy.js'

/** How many statements are kept, since each combination of filters has SQL of its own. */
const KEPT_STATEMENTS = 200

/** A read-only connection, which is opened when it is first used. */
export interface ReadConnection {
  /** @throws DatabaseError or PostgresError as `openDatabaseReadOnly` does. */
  get(): QueryDatabase
  /** Closes it; the next use opens it again. */
  close(): void
}

export function readConnection(database: string, schema: string): ReadConnection {
  return isPostgresAddress(database) ? new ServerConnection(database, schema) : new FileConnection(database)
}

/** A connection to PostgreSQL, which connects again by itself. */
class ServerConnection implements ReadConnection {
  readonly #address: string
  readonly #schema: string
  #open: PostgresQueryConnection | null = null

  constructor(address: string, schema: string) {
    this.#address = address
    this.#schema = schema
  }

  get(): PostgresQueryConnection {
    this.#open ??= openDatabaseReadOnly(this.#address as 'postgres://', { schema: this.#schema })
    return this.#open
  }

  close(): void {
    this.#open?.close()
    this.#open = null
  }
}

/** A connection to the file at a path. If the file is replaced, the new one is opened. */
class FileConnection implements ReadConnection {
  readonly #databasePath: string
  #open: { database: Database; file: FileIdentity | null } | null = null

  constructor(databasePath: string) {
    this.#databasePath = databasePath
  }

  get(): Database {
    const file = fileIdentityAt(this.#databasePath)
    const isCurrent =
      this.#open !== null && isSameFile(this.#open.file, file) && !isOutdatedCopy(this.#databasePath)
    if (this.#open !== null && isCurrent) return this.#open.database
    this.close()
    const database = openDatabaseReadOnly(this.#databasePath)
    // The identity is from before the file was opened: if the file was replaced in between, the
    // next question opens it again.
    this.#open = { database, file }
    keepStatements(database)
    return database
  }

  close(): void {
    this.#open?.database.close()
    this.#open = null
  }
}

/** Makes `prepare` return the same statement again, since query functions prepare at each call. */
function keepStatements(database: Database): void {
  const kept = new Map<string, Statement>()
  const prepare = database.prepare.bind(database)
  const prepareOnce = (sql: string): Statement => {
    const statement = kept.get(sql) ?? prepare(sql)
    // A map keeps the order of insertion: the statement used last becomes the last entry.
    kept.delete(sql)
    // The rows of a busy statement are still being read.
    if (statement.busy) return prepare(sql)
    kept.set(sql, statement)
    const [oldest] = kept.keys()
    if (kept.size > KEPT_STATEMENTS && oldest !== undefined) kept.delete(oldest)
    // The statement's last user may have set `pluck`. The modes `raw` and `safeIntegers` stay as
    // they are: all users of an SQL text set the same ones.
    return statement.reader ? statement.pluck(false) : statement
  }
  database.prepare = prepareOnce as Database['prepare']
}
