import { workerData } from 'node:worker_threads'
import {
  type Database,
  DatabaseError,
  getRequest,
  type ListRequestsOptions,
  listRequests,
  type NewRequestsOptions,
  newRequests,
  QueryError,
  type SeriesOptions,
  type StatsOptions,
  series,
  stats,
} from '../queries/index.js'
import { asDatabaseError } from '../storage/errors.js'
import { collectMetrics } from './collect-metrics.js'
import { measureHealth } from './health-report.js'
import { renderMetrics } from './metrics.js'
import type { QueryName, QueryOutcome, QueryTask, QueryThreadData } from './query-task.js'
import { ReadConnection } from './read-connection.js'
import { exactWindow } from './window.js'

/** Runs in the threads of a {@link QueryPool}: each has a connection of its own, which only reads. */
const { database: path, journal } = workerData as QueryThreadData
const connection = new ReadConnection(path)

// Options have passed the schemas of the routes, on the other side of a structured clone.
const QUERIES: Record<QueryName, (database: Database, options: object) => unknown> = {
  ready: () => null,
  stats: (database, options) => stats(database, options as StatsOptions),
  series: (database, options) => series(database, options as SeriesOptions),
  listRequests: (database, options) => listRequests(database, options as ListRequestsOptions),
  getRequest: (database, options) => {
    const { id } = options as { id: number }
    return getRequest(database, id, { journal })
  },
  newRequests: (database, options) =>
    (options as NewRequestsOptions[]).map((question) => newRequests(database, question)),
  health: (_database, _options) => measureHealth({ database: path, journal }),
  metrics: async (database) => renderMetrics(await collectMetrics(database, { journal, databasePath: path })),
}

export default async function answer(task: QueryTask): Promise<QueryOutcome> {
  try {
    return { is: 'answer', json: JSON.stringify(await ask(task)) }
  } catch (error) {
    const failure = asDatabaseError(error, path)
    if (failure instanceof QueryError) {
      const isUnknownName = failure.code === 'MODEL_NOT_FOUND' || failure.code === 'PROVIDER_NOT_FOUND'
      return { is: 'refused', isUnknownName, message: failure.message }
    }
    if (failure instanceof DatabaseError) {
      connection.close()
      return { is: 'unavailable', message: failure.message }
    }
    throw failure
  }
}

async function ask({ query, options, window }: QueryTask): Promise<unknown> {
  const ask = QUERIES[query]
  const database = connection.get()
  if (window === undefined) return await ask(database, options)
  const { bounds, echo } = exactWindow(window, Date.now())
  const body = await ask(database, { ...options, ...bounds })
  return { ...(body as object), ...echo }
}
