import { findParts, firstSteps, type ServerStart } from '../../first-steps/first-steps.js'
import type { HealthReport } from '../../health/health-report.js'
import { EXPOSITION_CONTENT_TYPE } from '../../metrics/exposition.js'
import type { QueryPool } from '../../pool/query-pool.js'
import type { App } from '../app.js'
import { HealthQuery, NoQuery } from './parameters.js'
import { ErrorAnswer, HealthAnswer } from './responses.js'

/** The answer of any process that can answer at all. */
const LIVE: HealthReport = { status: 'ok', problems: [] }

/** Adds `/healthz`, `/livez`, `/metrics`, `/openapi.json`, and the page's first steps. */
export function addServiceRoutes(
  app: App,
  pool: QueryPool,
  health: () => Promise<HealthReport>,
  started: ServerStart,
): void {
  app.get(
    '/healthz',
    {
      schema: {
        summary: 'Whether a projector runs and keeps up; needs no token',
        security: [],
        querystring: HealthQuery,
        response: { 200: HealthAnswer, 503: HealthAnswer, default: ErrorAnswer },
      },
    },
    async ({ query: { live } }, reply) => {
      if (live !== undefined && live !== 'false') return await reply.send(LIVE)
      const report = await health()
      return await reply.code(report.status === 'ok' ? 200 : 503).send(report)
    },
  )

  app.get(
    '/livez',
    {
      schema: {
        summary:
          'Whether this process can answer, whatever the state of journal, database and projector; needs no token',
        security: [],
        response: { 200: HealthAnswer, default: ErrorAnswer },
      },
    },
    async (_request, reply) => await reply.send(LIVE),
  )

  app.get(
    '/metrics',
    { schema: { summary: 'Figures for Prometheus', produces: ['text/plain'] } },
    async (_request, reply) => {
      const page: string = JSON.parse(await pool.ask({ query: 'metrics', options: {} }))
      return await reply.type(EXPOSITION_CONTENT_TYPE).send(page)
    },
  )

  // Undocumented, for the page only: its texts and commands may change with any version.
  app.get('/v1/first-steps', { schema: { hide: true, querystring: NoQuery } }, async (_request, reply) => {
    const report = await health()
    return await reply.send(firstSteps(findParts(started.journal, report), started))
  })

  // It is made for the first client that asks: by then every route has been added.
  let openApi: string | null = null
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
    openApi ??= JSON.stringify(app.swagger())
    return await reply.type('application/json; charset=utf-8').send(openApi)
  })
}
