import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const ROOT = fileURLToPath(new URL('.', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'request-journal-writer-'))

/** What tests import of the sources, and where the package has it. */
const IN_PACKAGE: Record<string, string> = {
  'src/index.ts': 'index.js',
  'src/journal/errors.ts': 'index.js',
  'src/journal/append/journal.ts': 'ports.js',
  'src/clients/fetch/logged-fetch.ts': 'fetch.js',
}

// `npm run test:writer`: the tests of appending and of loggedFetch, run against request-journal-writer as it is packed.
export default defineConfig({
  plugins: [
    {
      name: 'writer-package',
      enforce: 'pre',
      async resolveId(specifier, importer, options) {
        if (!/^(test|writer)\//.test(relative(ROOT, importer ?? ''))) return null
        const resolved = await this.resolve(specifier, importer, { ...options, skipSelf: true })
        const file = IN_PACKAGE[relative(ROOT, resolved?.id ?? '')]
        return file === undefined ? null : { id: join(directory, file), external: true }
      },
    },
  ],
  test: {
    include: [
      'test/journal/append/{active-segment,attempt-handle,flush,forgotten,journal}.test.ts',
      'test/clients/fetch/{hostile,memory,outcomes,response,sdks}.test.ts',
      'writer/*.test.ts',
    ],
    pool: 'forks',
    isolate: false,
    restoreMocks: true,
    unstubEnvs: true,
    testTimeout: 30_000,
    env: { REQUEST_JOURNAL_WRITER: directory },
    globalSetup: ['test/support/build-writer.ts'],
  },
})
