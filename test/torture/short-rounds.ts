import { describe, expect, test } from 'vitest'
import { type Fault, Round } from './fault.js'

/** One short round of each class that no other test has, for `npm test`; `npm run test:torture` goes on for as long as one asks. */
export function testShortRounds(faults: readonly Fault[]): void {
  describe('one round of each fault class', () => {
    for (const fault of faults) {
      if (fault.testedIn !== undefined) continue
      const reason = fault.whyNot?.() ?? null
      test.skipIf(reason !== null)(
        `${fault.name}${reason === null ? '' : ` (${reason})`}`,
        async () => {
          const seed = Math.floor(Math.random() * 2 ** 31)
          const round = new Round(seed, 'short')
          await fault.run(round)
          const again = `npm run test:torture -- --seed ${seed} --only ${fault.name} --minutes 0.01`
          expect(round.findings.slice(0, 5), again).toEqual([])
          expect(round.tally.tried).toBeGreaterThan(0)
          expect(round.tally.survived).toBe(round.tally.tried)
        },
        60_000,
      )
    }
  })
}
