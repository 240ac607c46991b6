// Loads better-sqlite3, and opens connections with it.
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type SQLite from 'better-sqlite3'
import { loadPackage, resolvePackage } from '../../../package/package-files.js'
import { DatabaseError } from './errors.js'

const NAME = 'better-sqlite3'

/**
 * The first major version of better-sqlite3 that needs a newer Node, and the Node that it needs.
 */
const NEEDS_NODE = { driverMajor: 13, nodeMajor: 22 }

let driver: typeof SQLite | null = null

/**
 * Opens a connection. This is the only place that loads better-sqlite3. The package is resolved
 * when the program runs, since in a bundle it wouldn't find its native addon.
 *
 * @throws DatabaseError DRIVER_UNUSABLE when better-sqlite3 is missing or isn't for this Node;
 *   NOT_A_DATABASE when the file is a FIFO, a device or a socket.
 * @throws SqliteError as better-sqlite3 does.
 */
export function connect(file: string, options: SQLite.Options): SQLite.Database {
  driver ??= loadDriver()
  refuseSpecialFile(file)
  try {
    return new driver(file, options)
  } catch (error) {
    throw asDriverError(error)
  }
}

/** SQLite would wait for ever for somebody to write to a FIFO. */
function refuseSpecialFile(file: string): void {
  let isSpecial: boolean
  try {
    const stats = statSync(file)
    isSpecial = !stats.isFile() && !stats.isDirectory()
  } catch {
    // SQLite makes the file, or says why it can't be opened.
    return
  }
  if (!isSpecial) return
  const found = 'found a FIFO, a device or a socket, expected a regular file'
  throw new DatabaseError('NOT_A_DATABASE', file, `${found}: move it away, or name another file`)
}

/** The version of the SQLite that databases are opened with; null if it can't be loaded. */
export function sqliteVersion(): string | null {
  try {
    const database = connect(':memory:', {})
    const version = database.prepare<[], string>('SELECT sqlite_version()').pluck().get()
    database.close()
    return version ?? null
  } catch (error) {
    if (error instanceof DatabaseError) return null
    throw error
  }
}

function loadDriver(): typeof SQLite {
  const main = resolvePackage(NAME)
  if (main === null) {
    throw unusable(
      NAME,
      `the package can't be found from ${process.argv[1] ?? process.cwd()}: it has a native addon, so no bundle can include it; install it where the program runs with \`npm install ${NAME}@12\``,
    )
  }
  const folder = packageFolder(main)
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  const problem = versionProblem(version, process.versions.node)
  if (problem !== null) throw unusable(folder, problem)
  return loadPackage(main) as typeof SQLite
}

/**
 * Returns why this version of better-sqlite3 must not be loaded, if it would crash this version of
 * Node without a message. Null if it may be loaded.
 */
export function versionProblem(driverVersion: string, nodeVersion: string): string | null {
  const { driverMajor, nodeMajor } = NEEDS_NODE
  if (Number.parseInt(driverVersion, 10) < driverMajor || Number.parseInt(nodeVersion, 10) >= nodeMajor) {
    return null
  }
  return `${NAME} ${driverVersion} crashes Node ${nodeVersion}; it needs Node ${nodeMajor} or later: run \`npm install ${NAME}@12\` with this Node, or use a newer one`
}

/** Returns the folder with the package's package.json. The main module is in a subfolder of it. */
function packageFolder(main: string): string {
  return resolvePackage(`${NAME}/package.json`)?.replace(/[\\/]package\.json$/, '') ?? dirname(dirname(main))
}

/**
 * Returns a DatabaseError that says what to do if this Node can't load the addon, and any other
 * error as it is.
 */
function asDriverError(error: unknown): unknown {
  const { code, message = '' } = error as NodeJS.ErrnoException
  const isMissing = /Could not locate the bindings file/.test(message)
  if (code !== 'ERR_DLOPEN_FAILED' && !isMissing) return error
  const builtFor = /NODE_MODULE_VERSION (\d+)/.exec(message)?.[1]
  const found = isMissing
    ? "found no native addon (the package's install script did not run)"
    : builtFor === undefined
      ? `its native addon can't be loaded (${message.split('\n')[0]})`
      : `its native addon was built for another Node (NODE_MODULE_VERSION ${builtFor})`
  const { node, modules } = process.versions
  return unusable(
    NAME,
    `${found}, expected one for Node ${node} (${modules}) on ${process.platform} ${process.arch}: run \`npm rebuild ${NAME}\` with this Node`,
    error,
  )
}

function unusable(path: string, message: string, cause?: unknown): DatabaseError {
  return new DatabaseError('DRIVER_UNUSABLE', path, message, cause === undefined ? undefined : { cause })
}
