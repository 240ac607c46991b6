import { readFileSync } from 'node:fs'
import SQLite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { noPostgres, sharedPostgres } from '../support/postgres.js'
import { type Place, Round, survived } from './fault.js'
import { historyTrial } from './faults/power-cut.js'
import { FAULTS } from './faults.js'
import { endAll, Fleet } from './fleet.js'
import { compareNow, judge } from './judge.js'

const IDS = ['a', 'b', 'c']

/** What a judge of three rows in SQLite says after somebody has run a statement. */
async function judgeAfter({ journal, database }: Place, sql: string) {
  writeSegment(journal, lines(...IDS.map((id) => requestLine(id))))
  await judge({ journal, database }, IDS)
  const connection = new SQLite(database)
  connection.exec(sql)
  connection.close()
  return compareNow({ journal, database }, IDS)
}

test('a release tries each class of faults that is tried only if it is named', () => {
  const workflow = readFileSync('.github/workflows/release.yml', 'utf8')
  for (const { name } of FAULTS.filter(({ isLong }) => isLong)) expect(workflow).toContain(name)
})

describe('a fault that is seeded is counted', () => {
  test.each([
    { seed: 'no fault', sql: '', tally: { survived: 1, lost: 0, doubled: 0 } },
    {
      seed: 'a row that is gone',
      sql: `DELETE FROM requests WHERE correlation_id = 'b'`,
      tally: { survived: 0, lost: 1, doubled: 0 },
    },
    {
      seed: 'a row that is there twice',
      sql: `UPDATE requests SET correlation_id = 'a' WHERE correlation_id = 'b'`,
      tally: { survived: 0, lost: 1, doubled: 1 },
    },
    {
      seed: 'a row that says something else',
      sql: `UPDATE requests SET latency_ms = latency_ms + 1 WHERE correlation_id = 'b'`,
      tally: { survived: 0, lost: 0, doubled: 0 },
    },
  ])('in SQLite: $seed', async ({ sql, tally }) => {
    const round = new Round(1, 'short')
    await round.trial('seeded', (place) => judgeAfter(place, sql))
    expect(round.tally, round.findings.join()).toMatchObject({ tried: 1, ...tally })
    expect(round.tally.wrong > 0).toBe(sql !== '')
  })

  test.skipIf(noPostgres !== null)('in PostgreSQL: a row that is gone', async () => {
    const round = new Round(1, 'short')
    await round.trial('seeded', async (place) => {
      const fleet = await Fleet.start(place, { hosts: 1, address: await sharedPostgres(), isHere: true })
      const projectors = fleet.hosts.map((host) => fleet.startProjector(host))
      for (const host of fleet.hosts) host.append(10)
      await fleet.untilComplete(() => projectors)
      const sound = await fleet.verdict()
      await fleet.ask(`DELETE FROM {schema}.requests WHERE correlation_id = 'host0-5'`)
      const seeded = await fleet.verdict()
      expect(await endAll(projectors)).toEqual(survived())
      await fleet.close()
      await fleet.remove()
      return [sound, seeded]
    })
    expect(round.tally, round.findings.join()).toMatchObject({ tried: 2, survived: 1, lost: 1 })
    expect(round.findings.join()).toContain('lost: host0-5')
  })

  test('in the model of a power cut: a disk that forgets what was synced', async () => {
    const round = new Round(1, 'short')
    await round.trial('seeded', (place) => historyTrial(place, round, { forgetsSyncs: true }))
    expect(round.findings.join()).toMatch(/position \d+ of .*, which has 0 bytes|does not start/)
    expect(round.tally.survived).toBeLessThan(round.tally.tried)
  })

  test('in a trial: what it throws', async () => {
    const round = new Round(1, 'short')
    await round.trial('seeded', async () => {
      throw new Error('it hangs')
    })
    expect(round.tally).toMatchObject({ tried: 1, survived: 0, wrong: 1 })
    expect(round.findings.join()).toContain('it hangs')
  })
})
