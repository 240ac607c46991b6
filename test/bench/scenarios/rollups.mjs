import { join } from 'node:path'
import { DATABASE_BYTES, JOURNAL_BYTES, linkJournal } from '../harness/journals.mjs'
import { runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

/** @type {import('../harness/rounds.mjs').Scenario} */
export const rollups = {
  name: 'roll-ups',
  measures: 'what roll-ups and counters cost: events a second with and without them, into an empty database',
  statistics: { rate: { label: 'events', unit: '/s', isRate: true } },
  reachesInside: true,
  rounds: { full: 5, quick: 2 },

  prepare: async (context) => {
    await context.journals.generated(count(context), days(context))
  },

  plan: (context) => ({
    contenders: ['replay', 'project-once'].flatMap((program) => [
      contender(context, program, false),
      contender(context, program, true),
    ]),
    targets: ['replay', 'project-once'].map((program) => ({
      contender: nameOf(program, false),
      statistic: 'rate',
      relation: /** @type {const} */ ('≥'),
      // A quarter more time.
      limit: 0.8,
      against: nameOf(program, true),
    })),
    diskBytes: count(context) * (JOURNAL_BYTES + 2.5 * DATABASE_BYTES),
  }),
}

/** @param {Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 50_000 : 1_000_000)
}

/** As dense as ten million in thirty days: a roll-up is of an hour, so the fewer requests it has, the more it costs each. */
function days(/** @type {Context} */ context) {
  return Math.max(1, Math.round((count(context) * 30) / 10_000_000))
}

/**
 * @param {string} program
 * @param {boolean} withoutRollups
 */
function nameOf(program, withoutRollups) {
  return `${program === 'replay' ? 'replay' : 'catch-up'}, ${withoutRollups ? 'without' : 'with'}`
}

/**
 * @param {Context} context
 * @param {string} program
 * @param {boolean} withoutRollups
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function contender(context, program, withoutRollups) {
  return {
    name: nameOf(program, withoutRollups),
    role: 'ours',
    configuration: withoutRollups ? 'the folds of roll-ups and counters do nothing' : 'as it is',
    statistics: ['rate'],
    measure: async (directory) => {
      const journal = join(directory, 'journal')
      linkJournal(await context.journals.generated(count(context), days(context)), journal)
      const database = join(directory, 'requests.db')
      const { rows, elapsedMs } = await runProgram(program, { journal, database, withoutRollups })
      if (rows !== count(context))
        throw new Error(`${rows} of ${count(context)} events came into the database`)
      return { rate: (rows / elapsedMs) * 1000 }
    },
  }
}
