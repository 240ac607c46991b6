import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { test } from '../support/workspace.js'
import { OWN_CHECKOUT } from './harness/checkouts.mjs'
import { comparisonTable, worseFigures } from './harness/comparison.mjs'
import { Journals } from './harness/journals.mjs'
import { readOptions, UsageError } from './harness/options.mjs'
import { runProgram } from './harness/processes.mjs'
import { scenarioReport } from './harness/report.mjs'
import { runScenario, withOthers } from './harness/rounds.mjs'
import { Workspace } from './harness/workspace.mjs'

const statistics = {
  rate: { label: 'events', unit: '/s', isRate: true },
  mean: { label: 'mean', unit: 'µs' },
  max: { label: 'max', unit: 'µs', isOneCall: true },
}

function report(own: Record<string, number>, other: Record<string, number> | null) {
  const ours = { name: 'ours', role: 'ours' as const, configuration: 'as it comes' }
  return scenarioReport(
    { name: 'append', measures: 'what it costs', statistics },
    [
      { ...ours, rounds: [own] },
      {
        ...ours,
        name: 'ours, other',
        role: 'other',
        counterpart: 'ours',
        rounds: other === null ? [] : [other],
        ...(other === null ? { failure: 'it ended' } : {}),
      },
    ],
    [],
  )
}

/** A checkout whose program only says that it was the one that ran. */
function makeCheckout(directory: string, { isBuilt = true } = {}): string {
  const checkout = join(directory, 'checkout')
  const files: Record<string, string> = {
    'package.json': JSON.stringify({
      name: 'request-journal',
      version: '0.0.1',
      type: 'module',
      exports: { './projection': { types: './elsewhere/index.d.ts', default: './elsewhere/index.js' } },
    }),
    'elsewhere/index.js': 'export const projectOnce = () => ({ projected: 4711, rejected: 0 })\n',
    ...(isBuilt ? { 'dist/cli/main.js': '', 'node_modules/.package-lock.json': '{}' } : {}),
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(checkout, name, '..'), { recursive: true })
    writeFileSync(join(checkout, name), text)
  }
  return checkout
}

describe('--against', () => {
  test('takes a checkout of this project that is built, by its absolute path', ({ workspace }) => {
    const checkout = makeCheckout(workspace.directory)
    const given = join(checkout, '..', 'checkout')
    expect(readOptions(['--against', given], ['append']).against).toBe(checkout)
    expect(readOptions([], ['append']).against).toBeNull()
  })

  test('is wrong use with anything else', ({ workspace }) => {
    const unbuilt = makeCheckout(workspace.directory, { isBuilt: false })
    for (const [directory, message] of [
      ['', /--against.*expected a path/],
      [workspace.directory, /--against.*expected a checkout of request-journal/],
      [unbuilt, /--against.*isn't built: run npm install and npm run build there/],
    ] as const) {
      expect(() => readOptions(['--against', directory], ['append'])).toThrow(UsageError)
      expect(() => readOptions(['--against', directory], ['append'])).toThrow(message)
    }
  })
})

describe('another checkout', () => {
  test('has a contender beside each of ours, and none beside a peer', () => {
    const contender = { configuration: '', statistics: ['mean'], measure: async () => ({ mean: 1 }) }
    const contenders = withOthers(
      [
        { ...contender, name: 'floor', role: 'floor' },
        { ...contender, name: 'ours', role: 'ours', floor: 'floor' },
        { ...contender, name: 'pino', role: 'peer' },
      ],
      [OWN_CHECKOUT, '/another'],
    )
    expect(contenders.map(({ name }) => name)).toEqual(['floor', 'ours', 'ours, other', 'pino'])
    expect(contenders[2]).toMatchObject({
      role: 'other',
      floor: 'floor',
      checkout: '/another',
      counterpart: 'ours',
    })
    expect(withOthers(contenders, [OWN_CHECKOUT])).toEqual(contenders)
  })

  test('is measured once a round, beside ours and not always after it', async ({ workspace }) => {
    const bench = new Workspace(workspace.directory)
    const asked: string[] = []
    const scenario = {
      name: 'append',
      measures: '',
      statistics,
      rounds: { full: 2, quick: 2 },
      plan: () => ({
        contenders: [
          {
            name: 'ours',
            role: 'ours' as const,
            configuration: '',
            statistics: ['mean'],
            measure: async (_directory: string, checkout: string) => {
              asked.push(checkout)
              return { mean: checkout === '/another' ? 2 : 3 }
            },
          },
        ],
        targets: [],
        diskBytes: 0,
      }),
    }
    const progress = () => {}
    const context = {
      workspace: bench,
      journals: new Journals(bench, 1, progress),
      events: null,
      isQuick: false,
      seed: 1,
      checkouts: [OWN_CHECKOUT, '/another'],
      progress,
    }
    const { comparisons } = await runScenario(scenario, context, 4)
    expect(comparisons).toEqual([
      { contender: 'ours', statistic: 'mean', own: 3, other: 2, ratio: 1.5, isWorse: true },
    ])
    const rounds = [0, 2, 4, 6].map((start) => asked.slice(start, start + 2))
    for (const round of rounds) expect(round.toSorted()).toEqual(['/another', OWN_CHECKOUT].toSorted())
    expect(new Set(rounds.map(([first]) => first)).size).toBe(2)
    const inside = await runScenario({ ...scenario, reachesInside: true }, context, 1)
    expect(inside.contenders.map(({ name }) => name)).toEqual(['ours'])
  })

  test('is run by its own entry points, wherever their files are', async ({ workspace }) => {
    const checkout = makeCheckout(workspace.directory)
    const { journal, database } = workspace
    expect(await runProgram('project-once', { checkout, journal, database })).toMatchObject({ rows: 4711 })
  })
})

describe('a figure is worse', () => {
  test.for([
    [{ rate: 95 }, { rate: 100 }, false],
    [{ rate: 94.9 }, { rate: 100 }, true],
    [{ rate: 200 }, { rate: 100 }, false],
    [{ mean: 100 }, { mean: 95 }, false],
    [{ mean: 100 }, { mean: 94.9 }, true],
    [{ mean: 50 }, { mean: 100 }, false],
    [{ mean: 0 }, { mean: 0 }, false],
    [{ mean: 1 }, { mean: 0 }, true],
    [{ max: 900 }, { max: 1 }, false],
  ] as const)('%o beside the other checkout’s %o: %s', ([own, other, isWorse]) => {
    expect(report(own, other).comparisons.map((comparison) => comparison.isWorse)).toEqual([isWorse])
  })

  test('only where both were measured', () => {
    expect(report({ rate: 1 }, null).comparisons).toEqual([])
  })

  test('in the table, and in the list that decides about the exit code', () => {
    const both = report({ rate: 200, mean: 3, max: 9 }, { rate: 100, mean: 2, max: 9 })
    const text = comparisonTable([both], false)
    expect(text).toMatch(/^scenario +contender +statistic +this +other +this \/ other\n─/)
    expect(text).toMatch(/\nappend +ours +events +200\/s +100\/s +2\n/)
    expect(text).toMatch(/\n +ours +mean +3 µs +2 µs +1\.5 +WORSE\n/)
    expect(comparisonTable([both], true)).toContain('|  | ours | mean | 3 µs | 2 µs | 1.5 | WORSE |')
    expect(worseFigures([both])).toEqual(['append: ours: mean 3 µs, the other 2 µs: 1.5'])
    expect(worseFigures([report({ rate: 100 }, { rate: 100 })])).toEqual([])
  })
})
