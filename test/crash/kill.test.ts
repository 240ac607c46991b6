import { describe, expect, test } from 'vitest'
import { Round } from '../torture/fault.js'
import { killTogether } from '../torture/faults/kill.js'

// Three rounds of two writers and a projector: nine kills. `npm run test:torture` makes hundreds of them.
describe.each([
  { name: 'lines of 300 bytes', rounds: 1, bytes: 0, most: 1000 },
  { name: 'lines of 250 kB, where kills tear lines', rounds: 2, bytes: 250_000, most: 24 },
])('SIGKILL at random instants, $name', (options) => {
  test('every event whose append returned is there once; the database equals a fresh replay', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const round = new Round(seed, 'full')
    await round.trial('kill', (place) => killTogether(place, round.random, options))
    expect(round.findings, `seed ${seed}`).toEqual([])
    expect(round.tally).toMatchObject({ tried: options.rounds * 3, survived: options.rounds * 3 })
  })
})
