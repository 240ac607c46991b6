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

/**
 * A read-only connection, which is opened when it is first used. If the file is replaced, the new
 * one is opened; a connection to PostgreSQL connects again by itself.
 */
export class ReadConnection {
  readonly #database: string
  readonly #schema: string
  #open: { database: Database | PostgresQueryConnection; file: FileIdentity | null } | null = null

  constructor(database: string, schema: string) {
    this.#database = database
    this.#schema = schema
  }

  /** @throws DatabaseError or PostgresError as `openDatabaseReadOnly` does. */
  get(): QueryDatabase {
    const isFile = !isPostgresAddress(this.#database)
    const file = isFile ? fileIdentityAt(this.#database) : null
    if (this.#open !== null && (!isFile || this.#isCurrent(file))) return this.#open.database
    this.close()
    const database = openDatabaseReadOnly(this.#database, { schema: this.#schema })
    // The identity is from before the file was opened: if the file was replaced in between, the
    // next question opens it again.
    this.#open = { database, file }
    if (isFile) keepStatements(database)
    return database
  }

  /** Closes it; the next use opens it again. */
  close(): void {
    this.#open?.database.close()
    this.#open = null
  }

  #isCurrent(file: FileIdentity | null): boolean {
    return isSameFile(this.#open?.file ?? null, file) && !isOutdatedCopy(this.#database)
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
