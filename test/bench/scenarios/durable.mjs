import { writeEvents } from '../harness/journals.mjs'
import { runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

/** Until the JIT has compiled all of it: the first 25,000 events run at two thirds of the rate of those after them. */
const WARM_UP = 64 * 400

/** @type {string | null} */
let eventsFile = null

/** @type {import('../harness/rounds.mjs').Scenario} */
export const durable = {
  name: 'durable',
  measures: '64 callers at once, each `append` + `await flush()`: events a second',
  statistics: { rate: { label: 'events', unit: '/s', isRate: true } },
  rounds: { full: 9, quick: 3 },

  prepare: async (context) => {
    eventsFile = context.workspace.path('events.ndjson')
    await writeEvents({ path: eventsFile, events: count(context) + WARM_UP, seed: context.seed })
  },

  plan: (context) => ({
    contenders: [
      {
        name: 'floor',
        role: 'floor',
        configuration: 'JSON.stringify + writeSync of 64 lines, then one fdatasync, again',
        statistics: ['rate'],
        measure: (directory) =>
          runProgram('durable', { way: 'floor', directory, eventsFile, warmUp: WARM_UP }),
      },
      {
        name: 'ours',
        role: 'ours',
        configuration: 'append + await flush() in each of 64 loops',
        floor: 'floor',
        statistics: ['rate'],
        measure: (directory, checkout) =>
          runProgram('durable', { way: 'ours', checkout, directory, eventsFile, warmUp: WARM_UP }),
      },
    ],
    targets: [{ contender: 'ours', statistic: 'rate', relation: '≥', limit: 0.8, against: 'floor' }],
    diskBytes: count(context) * 1500,
  }),
}

/** @param {Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 12_800 : 600_000)
}
