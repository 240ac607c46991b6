import { join } from 'node:path'
import { DATABASE_BYTES, JOURNAL_BYTES, writeEvents } from '../harness/journals.mjs'
import { runProgram, startProgram } from '../harness/processes.mjs'
import { startServer } from '../harness/server.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const ASKED_PER_SECOND = 1000
const APPENDED_PER_SECOND = 1000

/** What people look at: most of them at the same, in a window that moves on. */
const PATHS = [
  '/v1/stats',
  '/v1/stats?range=last_24h&group_by=model',
  '/v1/stats?range=last_1h&percentiles=true',
  '/v1/stats?range=last_30d&group_by=tier&unpriced=true',
]

/** @type {string | null} */
let eventsFile = null

/** @type {import('../harness/rounds.mjs').Scenario} */
export const load = {
  name: 'load',
  measures: `${ASKED_PER_SECOND} questions a second while ${APPENDED_PER_SECOND} events a second are projected`,
  statistics: {
    p50: { label: 'p50', unit: 'ms' },
    p99: { label: 'p99', unit: 'ms' },
    max: { label: 'max', unit: 'ms', isOneCall: true },
    errors: { label: 'errors', unit: '' },
    lag: { label: 'lag', unit: 's' },
  },
  rounds: { full: 1, quick: 1 },

  prepare: async (context) => {
    eventsFile = context.workspace.path('events.ndjson')
    await writeEvents({
      path: eventsFile,
      events: seconds(context) * APPENDED_PER_SECOND,
      seed: context.seed,
    })
  },

  plan: (context) => ({
    contenders: [
      {
        name: 'ours',
        role: 'ours',
        configuration: `\`serve --project\`, ${seconds(context)} s, ${PATHS.length} questions in turns over 64 connections`,
        statistics: ['p50', 'p99', 'max', 'errors', 'lag'],
        measure: (directory, checkout) => measure(context, checkout, directory),
      },
    ],
    targets: [
      { contender: 'ours', statistic: 'errors', relation: '≤', limit: 0 },
      { contender: 'ours', statistic: 'lag', relation: '≤', limit: 1 },
    ],
    diskBytes: seconds(context) * APPENDED_PER_SECOND * (JOURNAL_BYTES + DATABASE_BYTES),
  }),
}

/** @param {Context} context */
function seconds({ isQuick }) {
  return isQuick ? 5 : 60
}

/**
 * @param {Context} context
 * @param {string} checkout
 * @param {string} directory
 */
async function measure(context, checkout, directory) {
  const count = seconds(context) * APPENDED_PER_SECOND
  const writer = await startProgram('latency-writer', {
    caller: 'ours',
    checkout,
    directory,
    eventsFile,
    count,
    perSecond: APPENDED_PER_SECOND,
  })
  const server = await startServer(checkout, {
    journal: join(directory, 'journal'),
    database: join(directory, 'requests.db'),
    project: true,
  })
  try {
    writer.go()
    const asked = { url: server.url, paths: PATHS, perSecond: ASKED_PER_SECOND, seconds: seconds(context) }
    const result = await runProgram('load', asked)
    await writer.result()
    return result
  } finally {
    await server.stop()
  }
}
