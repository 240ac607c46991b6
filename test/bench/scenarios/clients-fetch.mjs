import { join } from 'node:path'
import { OWN_CHECKOUT } from '../harness/checkouts.mjs'
import { missingProc } from '../harness/proc.mjs'
import { runProgram } from '../harness/processes.mjs'
import { median } from '../harness/statistics.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const SHORT = { chunks: 200, chunkBytes: 250 }

/** @type {Pick<import('../harness/rounds.mjs').Scenario, 'measures' | 'statistics' | 'plan'>} */
export const loggedFetch = {
  measures: 'a stream of 200 chunks through loggedFetch and through fetch alone; 200 slow streams at once',
  statistics: {
    first_byte: { label: 'first byte', unit: 'ms' },
    added: { label: 'added to it', unit: 'ms' },
    whole: { label: 'stream', unit: 'ms' },
    cpu: { label: 'CPU a stream', unit: 'ms' },
    peak: { label: 'peak', unit: 'MiB' },
  },

  plan: (context) => ({
    contenders: [
      {
        name: 'fetch',
        role: 'floor',
        configuration: 'fetch of Node.js alone; streams one after the other, in turns with loggedFetch',
        statistics: ['first_byte', 'whole', 'cpu'],
        measure: async (directory) => (await inTurns(context, directory, OWN_CHECKOUT)).bare,
      },
      {
        name: 'loggedFetch',
        role: 'ours',
        configuration: 'a journal with its defaults',
        floor: 'fetch',
        statistics: ['first_byte', 'added', 'whole', 'cpu'],
        measure: async (directory, checkout) => (await inTurns(context, directory, checkout)).logged,
      },
      {
        name: 'fetch, many at once',
        role: 'floor',
        configuration: '200 streams of 10 MB at once, whose client waits 1 ms after each chunk',
        statistics: ['peak'],
        missing: missingProc,
        measure: (directory) => atOnce(context, directory, OWN_CHECKOUT, { isLogged: false }),
      },
      {
        name: 'loggedFetch, many at once',
        role: 'ours',
        configuration: 'the same',
        floor: 'fetch, many at once',
        statistics: ['peak'],
        missing: missingProc,
        measure: (directory, checkout) => atOnce(context, directory, checkout, { isLogged: true }),
      },
    ],
    targets: [
      { contender: 'loggedFetch', statistic: 'added', relation: '≤', limit: 0.1 },
      { contender: 'loggedFetch', statistic: 'cpu', relation: '≤', limit: 1.1, against: 'fetch' },
      { contender: 'loggedFetch, many at once', statistic: 'peak', relation: '≤', limit: 150 },
    ],
    diskBytes: 10 * 1024 * 1024,
  }),
}

/**
 * @param {Context} context
 * @param {string} directory
 * @param {string} checkout
 */
async function inTurns({ isQuick }, directory, checkout) {
  const streams = isQuick ? 100 : 500
  const journal = join(directory, 'journal')
  const results = await runProgram('clients-fetch', { checkout, directory: journal, streams, ...SHORT })
  /** @param {{ firstByteMs: number, wholeMs: number, cpuMs: number }[]} measured */
  const summary = (measured) => ({
    first_byte: median(measured.map(({ firstByteMs }) => firstByteMs)),
    whole: median(measured.map(({ wholeMs }) => wholeMs)),
    cpu: median(measured.map(({ cpuMs }) => cpuMs)),
  })
  const [bare, logged] = [summary(results.bare), summary(results.logged)]
  return { bare, logged: { ...logged, added: logged.first_byte - bare.first_byte } }
}

/**
 * @param {Context} context
 * @param {string} directory
 * @param {string} checkout
 * @param {{ isLogged: boolean }} setting
 * @returns {Promise<Record<string, number>>}
 */
function atOnce({ isQuick }, directory, checkout, { isLogged }) {
  const chunks = isQuick ? 16 : 160
  const setting = { checkout, directory: join(directory, 'journal'), isLogged, atOnce: 200 }
  return runProgram('clients-fetch', { ...setting, chunks, chunkBytes: 64 * 1024 })
}
