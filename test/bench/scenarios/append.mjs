import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { OWN_CHECKOUT } from '../harness/checkouts.mjs'
import { writeEvents } from '../harness/journals.mjs'
import { missingPackage, peerPath } from '../harness/peers.mjs'
import { startDaemon, startProgram } from '../harness/processes.mjs'

/** Calls before the first that counts: the JIT has done its work by then. */
const WARM_UP = 20_000

const STATISTICS = ['mean', 'p50', 'p99', 'p99_9', 'max', 'total']

/** @type {string | null} */
let eventsFile = null

/** @type {import('../harness/rounds.mjs').Scenario} */
export const append = {
  name: 'append',
  measures:
    'what a caller pays for `append`, each call timed; total: with all that comes after it until the last byte is in the file',
  statistics: {
    mean: { label: 'mean', unit: 'µs' },
    p50: { label: 'p50', unit: 'µs' },
    p99: { label: 'p99', unit: 'µs' },
    p99_9: { label: 'p99.9', unit: 'µs' },
    max: { label: 'max', unit: 'µs', isOneCall: true },
    total: { label: 'total', unit: 'µs' },
  },
  rounds: { full: 7, quick: 3 },

  prepare: async (context) => {
    eventsFile = context.workspace.path('events.ndjson')
    const source = await writeEvents({
      path: eventsFile,
      events: count(context) + WARM_UP,
      seed: context.seed,
    })
    context.progress(`append: events of the ${source}`)
  },

  plan: (context) => ({
    contenders: [
      {
        name: 'floor',
        role: 'floor',
        configuration: 'JSON.stringify + one writeSync of the line, O_APPEND',
        statistics: STATISTICS,
        measure: (directory) => measure('floor', directory),
      },
      {
        name: 'ours, projector off',
        role: 'ours',
        configuration: 'openJournal({ directory }), append',
        floor: 'floor',
        statistics: STATISTICS,
        measure: (directory, checkout) => measure('ours', directory, { checkout }),
      },
      {
        name: 'ours, projector on',
        role: 'ours',
        configuration: 'the same, with `request-journal project` at work on the same journal',
        floor: 'floor',
        statistics: STATISTICS,
        measure: (directory, checkout) => measure('ours', directory, { checkout, hasDaemon: true }),
      },
      {
        name: 'pino sync',
        role: 'peer',
        configuration: 'pino(pino.destination({ dest, sync: true }))',
        floor: 'floor',
        statistics: STATISTICS,
        measure: (directory) => measure('pino sync', directory),
      },
      {
        name: 'pino async',
        role: 'peer',
        configuration:
          'pino(pino.destination({ dest, sync: false, minLength: 4096 })): lost at a kill while in memory',
        floor: 'floor',
        statistics: STATISTICS,
        measure: (directory) => measure('pino async', directory),
      },
      {
        name: 'winston File',
        role: 'peer',
        configuration:
          'createLogger({ format: json(), transports: [new File({ filename })] }): lost at a kill while in memory',
        floor: 'floor',
        statistics: STATISTICS,
        missing: () => missingPackage('winston'),
        measure: (directory) =>
          measure('winston', directory, { options: { winstonPath: peerPath('winston') } }),
      },
      {
        name: 'direct insert',
        role: 'peer',
        configuration: 'better-sqlite3, WAL, synchronous NORMAL, one prepared insert a request, both indexes',
        floor: 'floor',
        statistics: STATISTICS,
        measure: (directory) => measure('direct insert', directory),
      },
    ],
    targets: [
      target('ours, projector off', 'mean', 1.35, 'floor'),
      target('ours, projector off', 'mean', 0.8, 'pino sync'),
      target('ours, projector off', 'mean', 0.1, 'direct insert'),
      target('ours, projector off', 'p99_9', 0.02, 'direct insert'),
      target('ours, projector on', 'mean', 2.5, 'floor'),
    ],
    diskBytes: (count(context) + WARM_UP) * 1500,
  }),
}

/** @param {import('../harness/rounds.mjs').Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 50_000 : 300_000)
}

/**
 * @param {string} contender
 * @param {string} statistic
 * @param {number} limit
 * @param {string} against
 * @returns {import('../harness/targets.mjs').Target}
 */
function target(contender, statistic, limit, against) {
  return { contender, statistic, relation: '≤', limit, against }
}

/**
 * @param {string} caller
 * @param {string} directory
 * @param {{ checkout?: string, hasDaemon?: boolean, options?: object }} [setting]
 */
async function measure(caller, directory, { checkout = OWN_CHECKOUT, hasDaemon = false, options = {} } = {}) {
  const configuration = { checkout, caller, directory, eventsFile, warmUp: WARM_UP, options }
  const program = await startProgram('append', configuration)
  const journal = join(directory, 'journal')
  if (hasDaemon && !existsSync(journal)) throw new Error(`the warm-up left no journal in ${journal}`)
  const daemon = hasDaemon ? await startDaemon(checkout, journal, join(directory, 'requests.db')) : null
  program.go()
  const result = await program.result()
  await daemon?.stop()
  return result
}
