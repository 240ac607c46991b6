import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vitest/config'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The files that tests import as `src/…`; Node loads them itself, so that no copy of them is made. */
export const BUILT_FILES = /\/dist\/.*\.js$/

/**
 * Where a test imports a file of `src`, it gets the one in `dist` that was built from it: what users
 * run, and nothing has to be compiled again in each of vitest's processes (0.3 s for the server
 * with all that it needs, rather than 2 s). The page's scripts aren't in `dist` as files of their
 * own: these are compiled.
 */
export function builtSources(): Plugin {
  return {
    name: 'built-sources',
    enforce: 'pre',
    async resolveId(specifier, importer, options) {
      if (!specifier.includes('/src/')) return null
      const resolved = await this.resolve(specifier, importer, { ...options, skipSelf: true })
      const source = relative(ROOT, resolved?.id ?? '')
      if (!/^src\/.*\.ts$/.test(source)) return null
      const built = join(ROOT, source.replace(/^src/, 'dist').replace(/ts$/, 'js'))
      return existsSync(built) ? { id: built, external: true } : null
    },
  }
}
