import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verify } from '../../src/maintenance/index.js'
import { projectOnce, replay } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { type Arrival, findDifferences } from '../support/checker.js'
import { putEmptyDatabase } from '../support/empty-database.js'
import { writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { runs } from '../support/runs.js'

const id = fc.constantFrom('a', 'b', 'c', 'd')
const tokens = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null })
const attempt = fc.constantFrom(undefined, undefined, null, 0, 1)
const fields = fc.record({
  attempt,
  policy: fc.constantFrom('chat', 'code', null),
  input_tokens: tokens,
  output_tokens: tokens,
  cost_sats: fc.option(fc.double({ noNaN: true, min: -10, max: 1e6 }), { nil: null }),
  latency_ms: fc.nat(400_000),
  streaming: fc.boolean(),
  timestamp: fc.constantFrom(
    '2026-11-21T23:59:59.999Z',
    '2026-11-22T10:00:00.000Z',
    '2026-11-22T11:30:00.000Z',
  ),
  labels: fc.constantFrom({}, { tier: 'local' }, { tier: 'frontier', team: 'a' }, { tier: 'ä'.repeat(65) }),
  success: fc.boolean(),
  error_message: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 }), { nil: null }),
})

const request = fc.tuple(id, fields).map(([name, value]) => `${requestLine(name, value)}\n`)
const completion = fc
  .tuple(id, fields, fc.option(fc.boolean(), { nil: null }))
  .map(([name, { policy, latency_ms, labels, ...value }, success]) => {
    return `${completionLine(name, { ...value, success })}\n`
  })

/** What somebody did: bytes added to a segment, or a projector that looked. */
const step = fc.oneof(
  { weight: 6, arbitrary: request },
  { weight: 4, arbitrary: completion },
  {
    weight: 1,
    arbitrary: fc.tuple(id, fc.nat(100)).map(([name, cut]) => requestLine(name).slice(0, cut + 1)),
  },
  { weight: 1, arbitrary: id.map((name) => requestLine(name)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\n', 'garbage\n', '{"type":"unknown"}\n', '{"model":"m"}\n', '\r\n'),
  },
  { weight: 2, arbitrary: fc.constant('project' as const) },
  { weight: 2, arbitrary: fc.constant('project in bulk' as const) },
  { weight: 1, arbitrary: fc.constant('new segment' as const) },
)

/** The share of the table decides then whether it is. */

const late = fc.oneof(completion, request).map((bytes) => ({ late: bytes }))

const tables = [
  'requests',
  'superseded_completions',
  'token_ratios',
  'token_ratio_sums',
  'held_completions',
  'rejected_lines',
  'rollup_dimensions',
  'rollup_names',
  'request_counters',
  'latency_counters',
]

function contents(path: string): unknown[] {
  const database = new SQLite(path, { readonly: true })
  try {
    const keyed = ['rollups', 'rollup_latencies', 'rollup_totals', 'rollup_total_latencies']
    const rollups = keyed.map((table) => database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4`).all())
    const counts = 'id, requests, completions, repeated_completions, ambiguous_completions'
    return [
      database.prepare(`SELECT ${counts} FROM journal_segments ORDER BY id`).all(),
      ...tables.map((table) => database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all()),
      ...rollups,
    ]
  } finally {
    database.close()
  }
}

interface Paths {
  journal: string
  database: string
}

/** Does the steps, and projects what is left. @returns the order in which lines were projected. */
async function doAll(paths: Paths, steps: readonly (string | { late: string })[]): Promise<Arrival[]> {
  const arrivals: Arrival[] = []
  const written = new Map<string, number>()
  let day = 10
  const segment = () => `2026-11-${day}.ndjson`
  const write = (name: string, text: string) => {
    writeSegment(paths.journal, text, name)
    written.set(name, statSync(join(paths.journal, name)).size)
  }
  /** Whole lines, segment by segment. */
  const arrive = () => {
    for (const [name, size] of [...written].sort()) {
      const from = arrivals.findLast(({ segment }) => segment === name)?.to ?? 0
      const to = readFileSync(join(paths.journal, name)).lastIndexOf('\n', size) + 1
      if (to > from) arrivals.push({ segment: name, from, to })
    }
  }
  write(segment(), '')
  for (const now of steps) {
    if (now === 'project') await projectOnce(paths)
    else if (now === 'project in bulk') await projectOnceWith(paths, Date, 0)
    else if (now === 'new segment') {
      // As a writer leaves the segment before: its fragment ended, so that nothing there waits for ever.
      write(segment(), '\n')
      day = Math.min(30, day + 1)
    } else if (typeof now === 'string') write(segment(), now)
    else write(`2026-11-${Math.max(10, day - 1)}.ndjson`, now.late)
    if (now === 'project' || now === 'project in bulk') arrive()
  }
  await projectOnce(paths)
  arrive()
  return arrivals
}

async function withPaths(check: (paths: Paths) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-property-'))
  try {
    const paths = { journal: join(directory, 'journal'), database: join(directory, 'requests.db') }
    putEmptyDatabase(paths.database)
    await check(paths)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test('rows equal the fold of the journal; replay = live; applied twice = applied once', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      await withPaths(async (paths) => {
        await doAll(paths, steps)
        expect(findDifferences(paths.journal, paths.database)).toEqual([])
        const live = contents(paths.database)
        expect(await projectOnce(paths)).toMatchObject({ lines: 0 })
        await replay(paths)
        expect(contents(paths.database)).toEqual(live)
      })
    }),
    runs(15),
  )
})

test('late lines are applied as they come, in bulk too, and by a replay in the order of the journal', {
  timeout: 60_000,
}, async () => {
  const steps = fc.array(fc.oneof({ weight: 5, arbitrary: step }, { weight: 1, arbitrary: late }), {
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(steps, async (some) => {
      await withPaths(async (paths) => {
        const arrivals = await doAll(paths, some)
        expect(findDifferences(paths.journal, paths.database, arrivals)).toEqual([])
        expect(await verify(paths)).toMatchObject({ problems: [] })
        await replay(paths)
        // The counters have had these lines: what another order makes of them doesn't count again.
        const differences = findDifferences(paths.journal, paths.database)
        expect(differences.filter((text) => !text.startsWith('the counters'))).toEqual([])
        expect(await verify(paths)).toMatchObject({ problems: [], late: 0 })
      })
    }),
    runs(12),
  )
})
