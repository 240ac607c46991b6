import type { Statement } from 'better-sqlite3'
import { type FileIdentity, fileIdentityAt, isSameFile } from '../../journal/file-identity.js'
import { type Database, openDatabaseReadOnly } from '../../queries/index.js'
import { isOutdatedCopy } from '../../store/sqlite/connection/read-only-mount.js'

/** A text of SQL for each combination of filters adds up; the statements used last are kept. */
const KEPT_STATEMENTS = 200

/** A read-only connection to a path: another file that is put there is opened in its turn. */
export class ReadConnection {
  readonly #path: string
  #open: { database: Database; file: FileIdentity | null } | null = null

  constructor(path: string) {
    this.#path = path
  }

  /** @throws DatabaseError as `openDatabaseReadOnly` does. */
  get(): Database {
    const file = fileIdentityAt(this.#path)
    const isCurrent = this.#open !== null && isSameFile(this.#open.file, file) && !isOutdatedCopy(this.#path)
    if (this.#open !== null && isCurrent) return this.#open.database
    this.close()
    const database = openDatabaseReadOnly(this.#path)
    // Of before the file was opened: should it have been replaced since, the next question opens it once more.
    this.#open = { database, file }
    keepStatements(database)
    return database
  }

  close(): void {
    this.#open?.database.close()
    this.#open = null
  }
}

/** Query functions prepare what they ask; the second time it is there already. */
function keepStatements(database: Database): void {
  const kept = new Map<string, Statement>()
  const prepare = database.prepare.bind(database)
  const prepareOnce = (sql: string): Statement => {
    const statement = kept.get(sql) ?? prepare(sql)
    // A map keeps its order: what was used last is behind everything else.
    kept.delete(sql)
    // A busy one is being read by someone who hasn't come to its end.
    if (statement.busy) return prepare(sql)
    kept.set(sql, statement)
    const [oldest] = kept.keys()
    if (kept.size > KEPT_STATEMENTS && oldest !== undefined) kept.delete(oldest)
    // As a new one: whoever used it last may have asked for single values.
    return statement.reader ? statement.pluck(false) : statement
  }
  database.prepare = prepareOnce as Database['prepare']
}
