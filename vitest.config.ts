import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { BUILT_FILES, builtSources } from './test/support/built-sources.js'

/**
 * Files that wait for servers, browsers and processes of their own, the slowest kinds first. A machine that hasn't run the
 * tests yet begins with the largest files: these are small and take long, and would run on alone at the end.
 */
const LONG = [
  /\/(torture\/(fleet|processes)|check\.test)/,
  /\/(dashboard|examples|torture|crash|e2e)\//,
  /\/(server|fleet|security)\/|postgres|\/(changed-schema|built-program|elapsed)\.test/,
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const kind = LONG.findIndex((pattern) => pattern.test(moduleId))
      return kind === -1 ? LONG.length : kind
    }
    // Stable: within a kind they stay as they were.
    return sorted.sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  plugins: [builtSources()],
  test: {
    server: { deps: { external: [BUILT_FILES] } },
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Test files of one process share what they import: loading it for each of them took a third of the time of unit tests.
    isolate: false,
    restoreMocks: true,
    unstubEnvs: true,
    // Two more than there are cores: many tests only wait for real processes. With one more, the
    // whole takes 4 % longer (260 s against 249); each worker loads everything anew, and starts a
    // browser of its own.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: LongestFirst },
    // The e2e and crash tests start real processes, and so do some hooks: each gets time for a slow two-core machine.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    globalSetup: ['test/support/build.ts'],
  },
})
