import { OWN_CHECKOUT } from '../harness/checkouts.mjs'
import { DAY_MS } from '../harness/events.mjs'
import { runProgram } from '../harness/processes.mjs'
import { startServer } from '../harness/server.mjs'
import { askedBytes, askedDatabase, DAYS } from './ask-database.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const PAGE = 10_000

/** @type {import('../harness/rounds.mjs').Scenario} */
export const ask = {
  name: 'ask',
  measures: `one question after the other over HTTP, of a database with ${DAYS} days up to now`,
  statistics: {
    p50: { label: 'p50', unit: 'ms' },
    p99: { label: 'p99', unit: 'ms' },
    max: { label: 'max', unit: 'ms', isOneCall: true },
  },
  rounds: { full: 3, quick: 2 },

  prepare: async (context) => {
    for (const checkout of context.checkouts) await askedDatabase(context, checkout)
  },

  plan: (context) => {
    const perPage = context.isQuick ? 1 : 100
    const month = '/v1/stats?range=last_30d'
    const groups = ['model', 'tier', 'provider', 'policy', 'day', 'hour'].map((name) => `&group_by=${name}`)
    const everyGroup = ['', ...groups].map((group) => month + group)
    return {
      contenders: [
        asked(context, 'stats of 30 days', everyGroup),
        asked(
          context,
          'stats of 30 days, percentiles',
          everyGroup.map((path) => `${path}&percentiles=true`),
        ),
        page(context, 'first page', 1, perPage),
        page(context, `page ${PAGE.toLocaleString('en-US')}`, PAGE, perPage),
        {
          name: 'classic query',
          role: 'peer',
          configuration: 'better-sqlite3, on the same database: count, sums and mean of 30 days by model',
          statistics: ['p50', 'p99', 'max'],
          measure: async () => {
            const { database } = await askedDatabase(context, OWN_CHECKOUT)
            const [since, until] = [Date.now() - 30 * DAY_MS, Date.now()].map((ms) =>
              new Date(ms).toISOString(),
            )
            return await runProgram('classic-query', { database, since, until, times: 3 })
          },
        },
      ],
      targets: [
        atMost('stats of 30 days', 'p99', 50),
        atMost('stats of 30 days, percentiles', 'p99', 50),
        atMost('first page', 'p99', 10),
        atMost(`page ${PAGE.toLocaleString('en-US')}`, 'p99', 10),
        { ...atMost('stats of 30 days', 'p50', 1 / 50), against: 'classic query' },
      ],
      diskBytes: askedBytes(context),
    }
  },
}

/**
 * @param {string} contender
 * @param {string} statistic
 * @param {number} limit
 * @returns {import('../harness/targets.mjs').Target}
 */
function atMost(contender, statistic, limit) {
  return { contender, statistic, relation: '≤', limit }
}

/**
 * @param {Context} context
 * @param {string} name
 * @param {string[]} paths
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function asked(context, name, paths) {
  const configuration = `GET ${paths[0]}, without group and with each of ${paths.length - 1}, in turns`
  return ours(context, name, configuration, async (url) =>
    runProgram('ask', { url, paths, times: context.isQuick ? 10 : 50, warmUp: 5 }),
  )
}

/**
 * @param {Context} context
 * @param {string} name
 * @param {number} number
 * @param {number} perPage
 */
function page(context, name, number, perPage) {
  const configuration = `GET /v1/requests?cursor=…, ${perPage} a page, all of the last 30 days`
  return ours(context, name, configuration, async (url) =>
    runProgram('page', { url, path: '/v1/requests?range=last_30d', page: number, perPage, times: 200 }),
  )
}

/**
 * @param {Context} context
 * @param {string} name
 * @param {string} configuration
 * @param {(url: string) => Promise<Record<string, number>>} askAll
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function ours(context, name, configuration, askAll) {
  return {
    name,
    role: 'ours',
    configuration,
    statistics: ['p50', 'p99', 'max'],
    measure: async (_directory, checkout) => {
      const server = await startServer(checkout, await askedDatabase(context, checkout))
      try {
        return await askAll(server.url)
      } finally {
        await server.stop()
      }
    },
  }
}
