import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { projectOnce, replay } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { findDifferences } from '../support/checker.js'
import { writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'

const id = fc.constantFrom('a', 'b', 'c', 'd')
const tokens = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null })
const fields = fc.record({
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
  labels: fc.constantFrom({}, { tier: 'local' }, { tier: 'frontier', team: 'a' }),
  success: fc.boolean(),
  error_message: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 }), { nil: null }),
})

/** What somebody did: bytes added to a segment, or a projector that looked. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(id, fields).map(([name, value]) => `${requestLine(name, value)}\n`) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(id, fields)
      .map(([name, { policy, latency_ms, labels, ...value }]) => `${completionLine(name, value)}\n`),
  },
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
const IN_BULK = { fromBytes: 0, workerFromBytes: Number.POSITIVE_INFINITY }

const tables = [
  'requests',
  'token_ratios',
  'token_ratio_sums',
  'held_completions',
  'rejected_lines',
  'rollup_dimensions',
  'request_counters',
  'latency_counters',
]

function contents(path: string): unknown[] {
  const database = new SQLite(path, { readonly: true })
  try {
    const keyed = ['rollups', 'rollup_latencies', 'rollup_totals', 'rollup_total_latencies']
    const rollups = keyed.map((table) => database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4`).all())
    return [
      ...tables.map((table) => database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all()),
      ...rollups,
    ]
  } finally {
    database.close()
  }
}

test('rows equal the fold of the journal; replay = live; applied twice = applied once', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const directory = mkdtempSync(join(tmpdir(), 'request-journal-property-'))
      const journal = join(directory, 'journal')
      const database = join(directory, 'requests.db')
      try {
        let day = 10
        const segment = () => `2026-11-${day}.ndjson`
        writeSegment(journal, '', segment())
        for (const now of steps) {
          if (now === 'project') await projectOnce({ journal, database })
          else if (now === 'project in bulk') await projectOnceWith({ journal, database }, Date, IN_BULK)
          else if (now === 'new segment') {
            // As a writer leaves the segment before: its fragment ended, so that nothing there waits for ever.
            appendFileSync(join(journal, segment()), '\n')
            day = Math.min(30, day + 1)
          } else writeSegment(journal, now, segment())
        }
        await projectOnce({ journal, database })
        expect(findDifferences(journal, database)).toEqual([])
        const live = contents(database)
        expect(await projectOnce({ journal, database })).toMatchObject({ lines: 0 })
        await replay({ journal, database })
        expect(contents(database)).toEqual(live)
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    }),
    { numRuns: 60 },
  )
})
