import { join } from 'node:path'
import { DAY_MS } from '../harness/events.mjs'
import {
  DATABASE_BYTES,
  JOURNAL_BYTES,
  journalFiles,
  linkJournal,
  writeEvents,
} from '../harness/journals.mjs'
import { cpuSeconds, missingProc } from '../harness/proc.mjs'
import { runCommand, runProgram, startDaemon, startProgram } from '../harness/processes.mjs'
import { distribution } from '../harness/statistics.mjs'
import { delaysMs } from './visible.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const DAYS = 30
/** The first day of `make-journal`. */
const FIRST_DAY_MS = Date.parse('2025-10-01T00:00:00Z')
/** Of all models, before and after. */
const PRICES = 12
const KILLS = 10
const APPENDED_PER_SECOND = 1000

/** @type {{ journal: import('../harness/journals.mjs').JournalFiles, eventsFile: string, databases: Map<string, string> } | null} */
let made = null

/** @type {import('../harness/rounds.mjs').Scenario} */
export const reprice = {
  name: 'reprice',
  measures: `rows a second whose costs are computed again after all prices of ${DAYS} days came late, beside a writer of ${APPENDED_PER_SECOND} events a second`,
  statistics: {
    rate: { label: 'rows', unit: '/s', isRate: true },
    cpu: { label: 'CPU a row', unit: 'µs' },
    p50: { label: 'append to row, p50', unit: 'ms' },
    max: { label: 'max', unit: 'ms', isOneCall: true },
  },
  rounds: { full: 3, quick: 1 },

  prepare: async (context) => {
    const directory = context.workspace.path('priced-journal')
    const eventsFile = context.workspace.path('reprice-events.ndjson')
    await runProgram('make-journal', {
      directory,
      events: count(context),
      days: DAYS,
      seed: context.seed,
      priced: true,
    })
    await writeEvents({ path: eventsFile, events: appended(context), seed: context.seed })
    const databases = new Map()
    for (const [index, checkout] of context.checkouts.entries()) {
      const database = context.workspace.path(`priced-${index}.db`)
      await runCommand(checkout, ['replay', '--journal', directory, '--db', database])
      // Seals the segments, so that no measurement meets this work.
      await runCommand(checkout, ['project', '--once', '--journal', directory, '--db', database])
      databases.set(checkout, database)
    }
    made = { journal: journalFiles(directory, count(context)), eventsFile, databases }
  },

  plan: (context) => ({
    contenders: [
      {
        name: 'beside a writer',
        role: 'ours',
        configuration: '`request-journal project`; the time from the first append of a price to the last row',
        statistics: ['rate', 'cpu', 'p50', 'max'],
        missing: missingProc,
        measure: (directory, checkout) => measureRate(context, directory, checkout),
      },
      {
        name: `killed ${KILLS} times`,
        role: 'ours',
        configuration: `SIGKILL after each ${KILLS + 1}th of the rows; then \`verify\`, and \`replay --into … --diff\``,
        statistics: ['rate'],
        measure: (directory, checkout) => measureKilled(context, directory, checkout),
      },
    ],
    targets: [
      { contender: 'beside a writer', statistic: 'rate', relation: '≥', limit: 50_000 },
      { contender: 'beside a writer', statistic: 'max', relation: '≤', limit: 1000 },
    ],
    diskBytes: count(context) * (JOURNAL_BYTES + (context.checkouts.length + 4) * DATABASE_BYTES),
  }),
}

/** @param {Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 100_000 : 1_000_000)
}

/**
 * Few enough to be appended while rows are repriced.
 *
 * @param {Context} context
 */
function appended(context) {
  return Math.ceil(count(context) / 100)
}

/**
 * @param {Context} context
 * @param {string} directory
 * @param {string} checkout
 */
async function measureRate(context, directory, checkout) {
  const { eventsFile } = files()
  const { journal, database } = await copyOf(directory, checkout)
  const daemon = await startDaemon(checkout, journal, database)
  const writer = await startProgram('latency-writer', {
    caller: 'ours',
    checkout,
    directory,
    eventsFile,
    count: appended(context),
    perSecond: APPENDED_PER_SECOND,
  })
  const observed = { database, count: appended(context), before: count(context) }
  const observer = await startProgram('latency-observer', observed)
  const cpuBefore = cpuSeconds(daemon.pid)
  const { startedNs } = await runProgram('late-prices', latePrices(journal, checkout))
  observer.go()
  writer.go()
  const { atNs } = await runProgram('await-repriced', { database, prices: PRICES })
  const cpu = cpuSeconds(daemon.pid) - cpuBefore
  const [{ appendedNs }, { sightings }] = await Promise.all([writer.result(), observer.result()])
  await daemon.stop()
  const { p50, max } = distribution(delaysMs(appendedNs, sightings))
  const rows = count(context)
  return { rate: (rows / (atNs - startedNs)) * 1e9, cpu: (cpu / rows) * 1e6, p50, max }
}

/**
 * Fails if anything differs from a replay.
 *
 * @param {Context} context
 * @param {string} directory
 * @param {string} checkout
 */
async function measureKilled(context, directory, checkout) {
  const { journal, database } = await copyOf(directory, checkout)
  const { startedNs } = await runProgram('late-prices', latePrices(journal, checkout))
  for (let kill = 1; kill <= KILLS; kill++) {
    const daemon = await startDaemon(checkout, journal, database)
    const through = new Date(FIRST_DAY_MS + (kill / (KILLS + 1)) * DAYS * DAY_MS).toISOString()
    await runProgram('await-repriced', { database, prices: PRICES, through })
    await daemon.kill()
  }
  const daemon = await startDaemon(checkout, journal, database)
  const { atNs } = await runProgram('await-repriced', { database, prices: PRICES })
  await daemon.stop()
  const places = ['--journal', journal, '--db', database]
  // Each ends with exit code 1, and so with an error here, if anything is wrong or differs.
  await runCommand(checkout, ['verify', ...places])
  await runCommand(checkout, ['replay', ...places, '--into', join(directory, 'replayed.db'), '--diff'])
  return { rate: (count(context) / (atNs - startedNs)) * 1e9 }
}

/**
 * @param {string} journal
 * @param {string} checkout
 */
function latePrices(journal, checkout) {
  return { checkout, directory: journal, fromMs: FIRST_DAY_MS }
}

/**
 * @param {string} directory
 * @param {string} checkout
 */
async function copyOf(directory, checkout) {
  const places = { journal: join(directory, 'journal'), database: join(directory, 'requests.db') }
  linkJournal(files().journal, places.journal)
  await runProgram('copy-database', { from: files().databases.get(checkout), to: places.database })
  return places
}

function files() {
  if (made === null) throw new Error('the journal was not made')
  return made
}
