import type { FastifyReply } from 'fastify'
import type { Static, TObject, TSchema } from 'typebox'
import type { WindowParameters } from '../../../queries/index.js'
import type { QueryPool } from '../../pool/query-pool.js'
import type { QueryTask } from '../../pool/query-task.js'
import type { App } from '../app.js'
import { HeldAnswers, onDisconnect } from '../bounds.js'
import { notFound } from '../errors.js'
import { WARNINGS } from '../query-string.js'
import {
  filterOf,
  NamesQuery,
  NoQuery,
  RequestParams,
  RequestsQuery,
  SeriesQuery,
  StatsQuery,
} from './parameters.js'
import {
  ErrorAnswer,
  NamesAnswer,
  RequestAnswer,
  RequestsAnswer,
  SeriesAnswer,
  StatsAnswer,
} from './responses.js'

/** Longer ids wouldn't be exact as numbers. */
const ID = /^[1-9]\d{0,15}$/

/** The answer to a question about a request that doesn't exist. */
const NULL = Buffer.from('null')

/** A route that asks the database one question. */
interface QueryRoute<Query extends TObject> {
  path: string
  summary: string
  query: Query
  /** The schema of its answer. */
  answer: TSchema
  taskOf(query: Static<Query>): QueryTask
}

/** How many bytes of answers clients may be reading at once. */
const MAX_HELD_BYTES = 256 * 1024 * 1024

/** Adds the routes that answer questions to the database. */
export function addQueryRoutes(app: App, pool: QueryPool): void {
  const held = new HeldAnswers(MAX_HELD_BYTES)
  const sendJson = (reply: FastifyReply, json: Buffer): FastifyReply => {
    held.hold(json, reply.raw)
    return reply.type('application/json; charset=utf-8').send(json)
  }
  const add = <Query extends TObject>({ path, summary, query, answer, taskOf }: QueryRoute<Query>) => {
    const schema = { summary, querystring: query, response: { 200: answer, default: ErrorAnswer } }
    app.get(path, { schema }, async ({ query: asked }, reply) => {
      const { warnings } = asked as { [WARNINGS]?: string[] }
      const task = { ...taskOf(asked as Static<Query>), warnings }
      return sendJson(reply, await pool.answer(task, onDisconnect(reply)))
    })
  }

  add({
    path: '/v1/stats',
    summary: 'Counts, costs, tokens and latency of a window',
    query: StatsQuery,
    answer: StatsAnswer,
    taskOf: (query) => {
      const { group_by: groupBy, timezone, limit, sort: rank, percentiles, unpriced: asked, unknown } = query
      // In this route, true and false ask for counts. Other values are a filter, as elsewhere.
      const isFilter = asked !== 'true' && asked !== 'false'
      const filter = filterOf({ ...query, unpriced: isFilter ? asked : undefined })
      const unpriced = asked === 'true'
      const options = { ...filter, groupBy, timezone, limit, rank, percentiles, unpriced, unknown }
      return { query: 'stats', options, window: windowOf(query) }
    },
  })

  add({
    path: '/v1/series',
    summary: 'The requests of each minute, hour or day of a window, for charts',
    query: SeriesQuery,
    answer: SeriesAnswer,
    taskOf: (query) => {
      const { by, bucket, timezone, limit, unknown } = query
      const options = { ...filterOf(query), by, bucket, timezone, limit, unknown }
      return { query: 'series', options, window: windowOf(query) }
    },
  })

  add({
    path: '/v1/requests',
    summary: 'Requests of a window, the newest first',
    query: RequestsQuery,
    answer: RequestsAnswer,
    taskOf: (query) => {
      const { page, per_page: perPage, sort, order, cursor, details } = query
      const options = { ...filterOf(query), page, perPage, sort, order, cursor, details }
      return { query: 'listRequests', options, window: windowOf(query) }
    },
  })

  add({
    path: '/v1/names',
    summary:
      'Names that begin with a prefix, those with the most requests first, for a field that completes names',
    query: NamesQuery,
    answer: NamesAnswer,
    taskOf: ({ dimension, prefix, limit }) => ({ query: 'listNames', options: { dimension, prefix, limit } }),
  })

  const schema = {
    summary: 'One request with all that is known about it, including its lines in the journal',
    params: RequestParams,
    querystring: NoQuery,
    response: { 200: RequestAnswer, default: ErrorAnswer },
  }
  app.get('/v1/requests/:id', { schema }, async ({ params: { id } }, reply) => {
    const task: QueryTask = { query: 'getRequest', options: { id: Number(id) } }
    const json = ID.test(id) ? await pool.answer(task, onDisconnect(reply)) : NULL
    if (json.equals(NULL)) throw notFound(`Request '${id}' not found`)
    return sendJson(reply, json)
  })
}

function windowOf({ since, range, until, before, timezone }: WindowParameters): WindowParameters {
  return { since, range, until, before, timezone }
}
