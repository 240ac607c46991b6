import { defineConfig } from 'vitest/config'
import { BUILT_FILES, builtSources } from './test/support/built-sources.js'

// `npm run test:torture`: one long test that prints its own table.
export default defineConfig({
  plugins: [builtSources()],
  test: {
    server: { deps: { external: [BUILT_FILES] } },
    include: ['test/torture/torture.run.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 0,
    hookTimeout: 0,
    teardownTimeout: 30_000,
    disableConsoleIntercept: true,
    reporters: [['default', { summary: false }]],
    globalSetup: ['test/support/build.ts'],
  },
})
