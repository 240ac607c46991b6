import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * A machine that hasn't run the tests yet begins with the largest files. These are small and take long: they would run on
 * alone at the end.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification) => /\/(torture|crash)\//.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Test files of one process share what they import: loading it for each of them took a third of the time of unit tests.
    isolate: false,
    restoreMocks: true,
    unstubEnvs: true,
    // One more than there are cores: many tests only wait for real processes. Each worker loads
    // everything anew, and starts a browser of its own.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    // The e2e and crash tests start real processes, and so do some hooks: each gets time for a slow two-core machine.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    globalSetup: ['test/support/build.ts'],
  },
})
