import { VERSION } from '../../package/package-files.js'
import { sqliteVersion } from '../../store/sqlite/connection/driver.js'

/** `0.1.0 (SQLite 3.53.2)`: also shows whether the database's driver can be loaded. */
export function versionText(): string {
  const version = sqliteVersion()
  return `${VERSION} (${version === null ? 'SQLite can’t be loaded: `request-journal doctor` says why' : `SQLite ${version}`})`
}
