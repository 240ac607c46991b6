import { PROXY_ERROR_CODES } from './clients/proxy/errors.js'
import { JOURNAL_ERROR_CODES, JOURNAL_WRITE_ERROR_CODES } from './journal/errors.js'
import { INPUT_ERROR_CODES } from './maintenance/errors.js'
import { OBJECT_STORE_ERROR_CODES } from './maintenance/objects/errors.js'
import { EXPORT_ERROR_CODES } from './maintenance/parquet/errors.js'
import { RESTORE_ERROR_CODES } from './maintenance/restore/errors.js'
import { QUERY_ERROR_CODES } from './queries/errors.js'
import { SERVER_ERROR_CODES } from './server/errors.js'
import { PROJECTION_ERROR_CODES } from './store/errors.js'
import { POSTGRES_ERROR_CODES } from './store/postgres/connection/errors.js'
import { DATABASE_ERROR_CODES } from './store/sqlite/connection/errors.js'

export { ProxyError, type ProxyErrorCode } from './clients/proxy/errors.js'
export { type EventProblem, InvalidEventError } from './events/errors.js'
export {
  JournalError,
  type JournalErrorCode,
  JournalWriteError,
  type JournalWriteErrorCode,
} from './journal/errors.js'
export { InputError, type InputErrorCode } from './maintenance/errors.js'
export { ObjectStoreError, type ObjectStoreErrorCode } from './maintenance/objects/errors.js'
export { ExportError, type ExportErrorCode } from './maintenance/parquet/errors.js'
export { RestoreError, type RestoreErrorCode } from './maintenance/restore/errors.js'
export { PackageFileError } from './package/package-files.js'
export { QueryError, type QueryErrorCode } from './queries/errors.js'
export { ServerError, type ServerErrorCode } from './server/errors.js'
export { ProjectionError, type ProjectionErrorCode } from './store/errors.js'
export { PostgresError, type PostgresErrorCode } from './store/postgres/connection/errors.js'
export { DatabaseError, type DatabaseErrorCode } from './store/sqlite/connection/errors.js'

/**
 * Every code that an error of this package can have, by the name of its class. docs/errors.md says
 * when each is thrown and what to do. Importing this file loads neither SQLite nor chokidar.
 */
export const ERROR_CODES = {
  InvalidEventError: ['INVALID_EVENT'],
  JournalError: JOURNAL_ERROR_CODES,
  JournalWriteError: JOURNAL_WRITE_ERROR_CODES,
  ProjectionError: PROJECTION_ERROR_CODES,
  DatabaseError: DATABASE_ERROR_CODES,
  PostgresError: POSTGRES_ERROR_CODES,
  QueryError: QUERY_ERROR_CODES,
  InputError: INPUT_ERROR_CODES,
  RestoreError: RESTORE_ERROR_CODES,
  ObjectStoreError: OBJECT_STORE_ERROR_CODES,
  ExportError: EXPORT_ERROR_CODES,
  ServerError: SERVER_ERROR_CODES,
  ProxyError: PROXY_ERROR_CODES,
  PackageFileError: ['PACKAGE_FILE_MISSING'],
} as const

export type ErrorCode = (typeof ERROR_CODES)[keyof typeof ERROR_CODES][number]
