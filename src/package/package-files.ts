import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const NAME = 'request-journal'

/** The version in package.json, which a bundle leaves behind; a test holds the two equal. */
export const VERSION = '0.1.0'

/** Thrown if a file of this package is needed but a bundler has taken only its code along. */
export class PackageFileError extends Error {
  override readonly name = 'PackageFileError'
  readonly code = 'PACKAGE_FILE_MISSING'
}

/**
 * Resolve packages by name: from this file, and from the program that was started, because a
 * bundler may have moved this file away from the package.
 */
const requires: readonly NodeJS.Require[] = [
  // A CommonJS bundle has no `import.meta.url`.
  import.meta.url ?? __filename,
  process.argv[1],
].flatMap((from) => (from === undefined || from === '' ? [] : createRequireAt(from)))

let root: string | null | undefined

/**
 * The path of a file of this package, or null if the program was bundled without it. The package is
 * found by its name and version, never by its position: a bundle may lie anywhere.
 */
export function packageFile(path: string): string | null {
  if (root === undefined) root = findRoot()
  const file = root === null ? null : join(root, path)
  return file !== null && existsSync(file) ? file : null
}

/**
 * Gives the path of a file of this package.
 *
 * @throws PackageFileError if the program was bundled without it.
 */
export function requirePackageFile(path: string): string {
  const file = packageFile(path)
  if (file !== null) return file
  throw new PackageFileError(
    `${NAME} ${VERSION} needs its file ${path}, but finds no such package from ${process.argv[1] ?? process.cwd()}: ` +
      `a bundler takes only the code along; leave the package out of the bundle (esbuild: --external:${NAME}) and ` +
      'install it where the program runs',
  )
}

/**
 * Resolves a package's file by name, or gives null. Where packages see only their own dependencies,
 * as under pnpm, a bundled program finds those of this package from where it is installed.
 */
export function resolvePackage(specifier: string): string | null {
  const own = packageFile('package.json')
  return resolveFrom(own === null ? requires : [...requires, createRequire(own)], specifier)
}

function resolveFrom(from: readonly NodeJS.Require[], specifier: string): string | null {
  for (const require of from) {
    try {
      return require.resolve(specifier)
    } catch {
      // The next place may have it. Callers say that it's missing.
    }
  }
  return null
}

/** Loads a CommonJS file that a bundler must not take along, as it loads a native addon. */
export function loadPackage(file: string): unknown {
  return createRequire(file)(file)
}

function findRoot(): string | null {
  const file = resolveFrom(requires, `${NAME}/package.json`)
  if (file === null) return null
  const found = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown; version?: unknown }
  return found.name === NAME && found.version === VERSION ? dirname(file) : null
}

function createRequireAt(from: string): NodeJS.Require[] {
  try {
    return [createRequire(from)]
  } catch {
    // It isn't a path, such as `[eval]`.
    return []
  }
}
