import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_BYTES, JOURNAL_BYTES, journalFiles } from '../harness/journals.mjs'
import { runCommand, runProgram } from '../harness/processes.mjs'
import { hasTrace } from '../harness/trace.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

/** @type {import('../harness/rounds.mjs').Scenario} */
export const bytes = {
  name: 'bytes',
  measures: 'bytes a request: in the journal, in archived segments, in the database',
  statistics: {
    journal: { label: 'journal', unit: 'bytes' },
    archived: { label: 'archived', unit: 'bytes' },
    database: { label: 'database', unit: 'bytes' },
  },
  rounds: { full: 1, quick: 1 },

  plan: (context) => ({
    contenders: [
      contender(context, 'generator', 'generated events: random UUIDs, labels on two in five'),
      contender(context, 'trace', 'the Azure trace, repeated: no labels, two models'),
    ],
    targets: ['generator', 'trace'].flatMap((name) => [
      target(name, 'journal', 400),
      target(name, 'archived', 60),
      target(name, 'database', 320),
    ]),
    diskBytes: count(context) * (2 * JOURNAL_BYTES + 2.5 * DATABASE_BYTES),
  }),
}

/** Two copies of the trace are two segments, and the newest one is never archived. */
const LEAST_EVENTS = 60_000

/** @param {Context} context */
function count({ events, isQuick }) {
  return Math.max(LEAST_EVENTS, events ?? (isQuick ? 0 : 1_000_000))
}

/**
 * @param {string} contender
 * @param {string} statistic
 * @param {number} limit
 * @returns {import('../harness/targets.mjs').Target}
 */
function target(contender, statistic, limit) {
  return { contender, statistic, relation: '≤', limit }
}

/**
 * @param {Context} context
 * @param {'generator' | 'trace'} source
 * @param {string} configuration
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function contender(context, source, configuration) {
  return {
    name: source,
    role: 'ours',
    configuration: `${configuration}; a segment a day, \`archive\` of all but the newest`,
    statistics: ['journal', 'archived', 'database'],
    missing: async () => (source === 'trace' && !hasTrace() ? 'the trace is not beside this checkout' : null),
    measure: async (directory, checkout) => {
      const [events, journal] = [count(context), join(directory, 'journal')]
      await runProgram('make-journal', { directory: journal, events, days: 30, seed: context.seed, source })
      return await measure(checkout, journal, join(directory, 'requests.db'), events)
    },
  }
}

/**
 * @param {string} checkout
 * @param {string} journal
 * @param {string} database
 * @param {number} events
 */
async function measure(checkout, journal, database, events) {
  const plain = journalFiles(journal, events)
  const sizes = new Map(plain.segments.map((path) => [path, statSync(path).size]))
  const places = ['--journal', journal, '--db', database]
  // Seals the segments too, without which none is archived.
  await runCommand(checkout, ['project', '--once', ...places])
  await runCommand(checkout, ['archive', ...places])
  const archives = readdirSync(journal).filter((name) => name.endsWith('.ndjson.gz'))
  if (archives.length === 0) throw new Error('nothing was archived')
  const archivedPlain = archives.map((name) => sizes.get(join(journal, name.slice(0, -3))) ?? 0)
  const ratio = sum(archives.map((name) => statSync(join(journal, name)).size)) / sum(archivedPlain)
  return {
    journal: plain.bytes / events,
    archived: (plain.bytes / events) * ratio,
    database: statSync(database).size / events,
  }
}

/** @param {readonly number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}
