import { existsSync } from 'node:fs'
import { runProgram } from '../harness/processes.mjs'
import { startServer } from '../harness/server.mjs'
import { askedBytes, askedDatabase } from './ask-database.mjs'

// The shell leaves the page's own time: the whole browser, on the two cores of its server, adds 200 to 600 ms of its own.
const BROWSERS = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium']
const CHROMIUM = BROWSERS.find((path) => existsSync(path)) ?? ''

/** @type {import('../harness/rounds.mjs').Scenario} */
export const dashboard = {
  name: 'dashboard',
  measures: 'the page in a fresh browser profile, on loopback, of 30 days',
  statistics: {
    firstChart: { label: 'first chart', unit: 'ms' },
    bytes: { label: 'over the wire', unit: 'kB' },
  },
  rounds: { full: 5, quick: 2 },

  prepare: async (context) => {
    for (const checkout of context.checkouts) await askedDatabase(context, checkout)
  },

  plan: (context) => ({
    contenders: [
      {
        name: 'ours',
        role: 'ours',
        configuration: `${CHROMIUM}; the second page that it opens, with an empty cache`,
        statistics: ['firstChart', 'bytes'],
        missing: async () => (CHROMIUM === '' ? `there is none of ${BROWSERS.join(', ')}` : null),
        measure: async (_directory, checkout) => {
          const server = await startServer(checkout, await askedDatabase(context, checkout))
          try {
            return await runProgram('dashboard', { url: server.url, executablePath: CHROMIUM })
          } finally {
            await server.stop()
          }
        },
      },
    ],
    targets: [
      { contender: 'ours', statistic: 'firstChart', relation: '≤', limit: 500 },
      { contender: 'ours', statistic: 'bytes', relation: '≤', limit: 150 },
    ],
    diskBytes: askedBytes(context),
  }),
}
