import { join } from 'node:path'
import { JOURNAL_BYTES, writeEvents } from '../harness/journals.mjs'
import { runProgram } from '../harness/processes.mjs'
import { startServer } from '../harness/server.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const BATCH = 100
const AT_ONCE = 16
const WARM_UP = 20_000
const TOKEN = 'a-token-of-the-benchmark'

/** @param {Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 50_000 : 500_000)
}

/** @type {Pick<import('../harness/rounds.mjs').Scenario, 'measures' | 'statistics' | 'plan'>} */
export const ingest = {
  measures: `POST /v1/events: durable events a second, in batches of ${BATCH}, ${AT_ONCE} at once`,
  statistics: { ingested: { label: 'events', unit: '/s', isRate: true } },

  plan: (context) => ({
    contenders: [
      {
        name: 'ingest',
        role: 'ours',
        configuration: '`serve --ingest`, each POST with an idempotency-key, durable before its answer',
        statistics: ['ingested'],
        measure: (directory, checkout) => measure(context, directory, checkout),
      },
    ],
    targets: [{ contender: 'ingest', statistic: 'ingested', relation: '≥', limit: 20_000 }],
    // Each line also says which POST brought it.
    diskBytes: 3 * (count(context) + WARM_UP) * JOURNAL_BYTES,
  }),
}

/**
 * @param {Context} context
 * @param {string} directory
 * @param {string} checkout
 */
async function measure(context, directory, checkout) {
  const eventsFile = join(directory, 'events.ndjson')
  await writeEvents({ path: eventsFile, events: count(context) + WARM_UP, seed: context.seed })
  const place = { journal: join(directory, 'journal'), database: join(directory, 'requests.db') }
  const server = await startServer(checkout, { ...place, ingestToken: TOKEN })
  try {
    const { url } = server
    return await runProgram('ingest', {
      ...{ url, token: TOKEN, eventsFile, batch: BATCH, atOnce: AT_ONCE, warmUp: WARM_UP },
    })
  } finally {
    await server.stop()
  }
}
