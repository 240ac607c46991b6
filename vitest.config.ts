import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Test files of one process share what they import: loading it for each of them took a third of the time of unit tests.
    isolate: false,
    restoreMocks: true,
    unstubEnvs: true,
    // One more than a small machine has cores: many tests only wait for real processes.
    maxWorkers: 3,
    // The e2e and crash tests start real processes: each gets time for a slow two-core machine.
    testTimeout: 30_000,
    globalSetup: ['test/support/build.ts'],
  },
})
