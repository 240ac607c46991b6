import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'
import { RollupSums } from '../../src/folds/sums/rollups.js'
import { RatioSums } from '../../src/folds/sums/token-ratios.js'
import { writeSegment } from '../support/journal-files.js'
import { PROGRAM } from '../support/program.js'
import { test } from '../support/workspace.js'

const REPORT = `process.on('exit', () => console.error('rss', process.resourceUsage().maxRSS))`

/** Runs a command, with what goes to its stdout thrown away. @returns its memory at most, in MiB. */
function memoryOf(args: readonly string[]): number {
  const report = `data:text/javascript,${encodeURIComponent(REPORT)}`
  const { status, stderr } = spawnSync(process.execPath, ['--import', report, PROGRAM, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  expect(status, stderr).toBe(0)
  return Number(/rss (\d+)/.exec(stderr)?.[1]) / 1024
}

test('lines of 1 MiB cost the memory of a few, in a replay and in an export', ({ workspace }) => {
  // What the checker would hold of this itself is much.
  workspace.expectDamage()
  const { journal, database } = workspace
  // A character that isn't Latin-1 makes its text twice as large in memory.
  const value = `${'x'.repeat(1000)}Ā`
  const labels = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`label${i}`, value]))
  const line = JSON.stringify({ type: 'request_logged', model: 'm', latency_ms: 1, success: true, labels })
  writeSegment(journal, `${line}\n`.repeat(60))
  expect(memoryOf(['replay', '--journal', journal, '--db', database])).toBeLessThan(400)
  expect(workspace.query('SELECT count(*) AS n FROM requests')).toEqual([{ n: 60 }])
  expect(memoryOf(['export', '--format', 'csv', '--db', database])).toBeLessThan(400)
})

const long = (name: string) => name.padEnd(1000, 'x')

test('token ratios of very many policies are to be written before all have come', () => {
  const ratios = new RatioSums()
  let added = 0
  while (!ratios.isFull) {
    ratios.add({ policy: long(`p${added++}`), input_tokens: 1, output_tokens: 2, success: true })
  }
  expect(added).toBeLessThan(10_000)
  expect(ratios.take()).toHaveLength(added)
  expect(ratios.isFull).toBe(false)
  expect(ratios.take()).toEqual([])
})

test('roll-ups of very many long names are to be written before all have come', () => {
  const sums = new RollupSums([])
  let added = 0
  while (!sums.isFull) {
    sums.add(
      {
        ...{
          timestamp: '2026-11-22T10:00:00.000Z',
          model: long(`m${added++}`),
          provider: null,
          policy: null,
        },
        ...{ streaming: false, latency_ms: 1, success: true, input_tokens: 1, output_tokens: 2 },
        ...{ stream_duration_ms: null, isCompleted: false },
      },
      { cost_sats: null, cost_usd: null },
      true,
    )
  }
  expect(added).toBeLessThan(5000)
  expect(sums.take().flatMap(({ dimensions }) => dimensions)).toHaveLength(added)
  expect(sums.isFull).toBe(false)
})
