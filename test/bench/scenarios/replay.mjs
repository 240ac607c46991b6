import { join } from 'node:path'
import { OWN_CHECKOUT } from '../harness/checkouts.mjs'
import { formatSize } from '../harness/format.mjs'
import { DATABASE_BYTES, JOURNAL_BYTES } from '../harness/journals.mjs'
import { missingCommand, missingPackage, peerPath } from '../harness/peers.mjs'
import { runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

/** What has to be reached: the share of the floor's rate. */
const floorShare = (/** @type {number} */ events) => (events >= 10_000_000 ? 0.5 : 0.55)

/** @type {import('../harness/rounds.mjs').Scenario} */
export const replay = {
  name: 'replay',
  measures:
    'events a second from a journal of 30 segments to a database with its indexes, checksums verified',
  statistics: { rate: { label: 'events', unit: '/s', isRate: true } },
  rounds: { full: 3, quick: 2 },

  prepare: async (context) => {
    for (const events of sizes(context)) await context.journals.database(OWN_CHECKOUT, events)
  },

  plan: (context) => {
    const all = sizes(context)
    return {
      contenders: all.flatMap((events) => contendersOf(context, events)),
      targets: all.flatMap(targetsOf),
      // Beside what is kept: a database with its WAL, the rows in a temporary table, and a sort for the indexes.
      diskBytes:
        all.reduce((sum, events) => sum + events * (JOURNAL_BYTES + DATABASE_BYTES), 0) +
        Math.max(...all) * (JOURNAL_BYTES + 2.5 * DATABASE_BYTES),
    }
  },
}

/** @param {Context} context */
function sizes({ events, isQuick }) {
  if (events !== null) return [events]
  return isQuick ? [50_000, 200_000] : [1_000_000, 10_000_000]
}

/**
 * @param {Context} context
 * @param {number} events
 * @returns {import('../harness/rounds.mjs').Contender[]}
 */
function contendersOf(context, events) {
  const size = formatSize(events)
  const floor = `floor, ${size}`
  const statistics = ['rate']
  const segments = async () => (await context.journals.generated(events)).segments
  return [
    {
      name: floor,
      role: 'floor',
      configuration:
        'better-sqlite3: INSERT … SELECT of the same rows from an attached :memory: table, then both indexes; WAL, NORMAL, 64 MiB cache, checkpointed',
      statistics,
      measure: async (directory) => {
        const from = await context.journals.database(OWN_CHECKOUT, events)
        return rate(
          events,
          await runProgram('insert-select', { from, database: join(directory, 'floor.db') }),
        )
      },
    },
    {
      name: `ours, ${size}`,
      role: 'ours',
      configuration: 'replay({ journal, database }) into a new database',
      floor,
      statistics,
      measure: async (directory, checkout) => {
        const { directory: journal } = await context.journals.generated(events)
        const database = join(directory, 'requests.db')
        const result = await runProgram('replay', { checkout, journal, database })
        if (result.unchecked > 0) throw new Error(`${result.unchecked} lines were not checked`)
        return rate(events, result)
      },
    },
    {
      name: `sqlite3 shell, ${size}`,
      role: 'peer',
      configuration:
        '.import of the lines into a temporary table of one column, INSERT … SELECT with ->>, indexes last; WAL, NORMAL; no checksums',
      floor,
      statistics,
      missing: () => missingCommand('sqlite3', ['--version'], 'sqlite3'),
      measure: async (directory) =>
        rate(
          events,
          await runProgram('sqlite3-shell', {
            segments: await segments(),
            database: join(directory, 'shell.db'),
          }),
        ),
    },
    {
      name: `DuckDB, ${size}`,
      role: 'peer',
      configuration:
        'CREATE TABLE … AS SELECT * FROM read_ndjson([…]), CHECKPOINT; another kind of store: columns, no indexes, no checksums',
      floor,
      statistics,
      missing: () => missingPackage('@duckdb/node-api'),
      measure: async (directory) => {
        const duckdbPath = peerPath('@duckdb/node-api')
        const database = join(directory, 'requests.duckdb')
        return rate(events, await runProgram('duckdb', { duckdbPath, segments: await segments(), database }))
      },
    },
  ]
}

/**
 * @param {number} events
 * @returns {import('../harness/targets.mjs').Target[]}
 */
function targetsOf(events) {
  const size = formatSize(events)
  const ours = { contender: `ours, ${size}`, statistic: 'rate', relation: /** @type {const} */ ('≥') }
  return [
    { ...ours, limit: floorShare(events), against: `floor, ${size}` },
    { ...ours, limit: 1.3, against: `sqlite3 shell, ${size}` },
  ]
}

/**
 * @param {number} events
 * @param {{ rows: number, elapsedMs: number }} result
 */
function rate(events, { rows, elapsedMs }) {
  if (rows !== events) throw new Error(`${rows} of ${events} events came into the database`)
  return { rate: (rows / elapsedMs) * 1000 }
}
