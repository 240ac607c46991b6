import { writeEvents } from '../harness/journals.mjs'
import { startProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const COUNTS = [1, 2, 4]
const WARM_UP = 10_000

/** @type {string | null} */
let eventsFile = null

/** @type {import('../harness/rounds.mjs').Scenario} */
export const processes = {
  name: 'processes',
  measures: '`append` from several processes at once to one journal: events a second, all together',
  statistics: { rate: { label: 'events', unit: '/s', isRate: true } },
  rounds: { full: 7, quick: 2 },

  prepare: async (context) => {
    eventsFile = context.workspace.path('events.ndjson')
    await writeEvents({ path: eventsFile, events: count(context), seed: context.seed })
  },

  plan: (context) => ({
    contenders: COUNTS.flatMap((writers) => [
      contender(`floor, ${writers}`, 'floor', writers),
      contender(`ours, ${writers}`, 'ours', writers),
    ]),
    targets: COUNTS.slice(1).map((writers) => ({
      contender: `ours, ${writers}`,
      statistic: 'rate',
      relation: /** @type {const} */ ('≥'),
      limit: 0.9,
      against: 'ours, 1',
    })),
    diskBytes: count(context) * Math.max(...COUNTS) * 500,
  }),
}

/** @param {Context} context how many each process logs */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 30_000 : 150_000)
}

/**
 * @param {string} name
 * @param {'ours' | 'floor'} role
 * @param {number} writers
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function contender(name, role, writers) {
  const what = role === 'ours' ? 'append' : 'JSON.stringify + writeSync, O_APPEND'
  return {
    name,
    role,
    configuration: `${what}, ${writers === 1 ? 'one process' : `${writers} processes`}`,
    ...(role === 'ours' ? { floor: `floor, ${writers}` } : {}),
    statistics: ['rate'],
    measure: (directory, checkout) => measure({ caller: role, directory, checkout }, writers),
  }
}

/**
 * @param {{ caller: string, directory: string, checkout: string }} who
 * @param {number} writers
 */
async function measure(who, writers) {
  const configuration = { ...who, eventsFile, warmUp: WARM_UP }
  const programs = await Promise.all(
    Array.from({ length: writers }, () => startProgram('append-rate', configuration)),
  )
  for (const program of programs) program.go()
  const results = await Promise.all(programs.map((program) => program.result()))
  const startedNs = Math.min(...results.map((result) => result.startedNs))
  const endedNs = Math.max(...results.map((result) => result.endedNs))
  const events = results.reduce((sum, result) => sum + result.events, 0)
  return { rate: (events / (endedNs - startedNs)) * 1e9 }
}
