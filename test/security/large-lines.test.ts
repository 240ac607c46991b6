import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'
import { RollupChanges } from '../../src/folds/rollups.js'
import { TokenRatioChanges } from '../../src/folds/token-ratios.js'
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

test('token ratios of very many policies are written before all have come', () => {
  const written = new Map<string, number>()
  const held = () => 20_000 - written.size
  const ratios = new TokenRatioChanges({
    addToTokenRatio: (policy, _millionths, samples) => written.set(policy, samples),
  })
  for (let i = 0; i < 20_000; i++) {
    ratios.add({ policy: long(`p${i}`), input_tokens: 1, output_tokens: 2, success: true })
  }
  expect(held()).toBeLessThan(10_000)
  ratios.apply()
  expect(held()).toBe(0)
  expect(new Set(written.values())).toEqual(new Set([1]))
})

test('roll-ups of very many long names are written before all have come', () => {
  const models = new Set<string>()
  const changes = new RollupChanges(
    {
      dimensionId: ({ model }) => models.add(model).size,
      begin() {},
      add() {},
      addTotal() {},
      insert() {},
      count() {},
    },
    [],
  )
  for (let i = 0; i < 6000; i++) {
    changes.add(
      {
        ...{ timestamp: '2026-11-22T10:00:00.000Z', model: long(`m${i}`), provider: null, policy: null },
        ...{ streaming: false, latency_ms: 1, success: true, input_tokens: 1, output_tokens: 2 },
        ...{ cost_sats: null, stream_duration_ms: null, isCompleted: false },
      },
      true,
    )
  }
  expect(6000 - models.size).toBeLessThan(5000)
  changes.apply()
  expect(models.size).toBe(6000)
})
