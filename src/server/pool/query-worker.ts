import { writeFileSync } from 'node:fs'
import {
  ArchivedLineError,
  DatabaseError,
  getRequest,
  type ListNamesOptions,
  type ListRequestsOptions,
  listNames,
  listRequests,
  type NewRequestsOptions,
  newRequests,
  PostgresError,
  type QueryDatabase,
  QueryError,
  resolveWindow,
  type SeriesOptions,
  type StatsOptions,
  series,
  stats,
} from '../../queries/index.js'
import { timedOut } from '../../queries/window/deadline.js'
import { asStoreError } from '../../store/open-store.js'
import { measureHealth } from '../health/measure-health.js'
import { collectMetrics } from '../metrics/collect-metrics.js'
import { renderMetrics } from '../metrics/render-metrics.js'
import type { MessageFromProcess, QueryMessage, QueryName, QueryOutcome } from './query-task.js'
import { ReadConnection } from './read-connection.js'

/** The program of a {@link QueryProcess}: it has a connection of its own, which only reads. */
const [database, schema, journal] = process.argv.slice(2) as [string, string, string]
const connection = new ReadConnection(database, schema)

const send = (message: MessageFromProcess) => process.send?.(message)

/** A longer answer would take too much memory in the serving process, while clients read it. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024

// The serving process has checked the options with the schemas of the routes.
const QUERIES: Record<QueryName, (database: QueryDatabase, message: QueryMessage) => unknown> = {
  stats: (database, { task }) => stats(database, task.options as StatsOptions),
  series: (database, { task }) => series(database, task.options as SeriesOptions),
  listRequests: (database, { task }) => listRequests(database, task.options as ListRequestsOptions),
  getRequest: (database, { task, mayBeHeavy }) => {
    const { id } = task.options as { id: number }
    return getRequest(database, id, { journal, readArchives: mayBeHeavy })
  },
  newRequests: (database, { task }) =>
    (task.options as NewRequestsOptions[]).map((question) => newRequests(database, question)),
  listNames: (database, { task }) => listNames(database, task.options as ListNamesOptions),
  health: (opened) => measureHealth(opened, { database, schema, journal }),
  metrics: async (opened) => renderMetrics(await collectMetrics(opened, { database, schema, journal })),
}

async function answer(question: QueryMessage): Promise<QueryOutcome> {
  try {
    const found = await ask(question)
    const { warnings } = question.task
    const body = warnings === undefined ? found : { warnings, ...(found as object) }
    const json = Buffer.from(JSON.stringify(body))
    if (json.length <= MAX_ANSWER_BYTES) return { is: 'answer', json }
    const size = `the answer has ${json.length} bytes, expected at most ${MAX_ANSWER_BYTES}`
    const message = `${size}: ask with limit=, per_page= or a filter`
    return { is: 'refused', isUnknownName: false, message }
  } catch (error) {
    const failure = asStoreError(error, database)
    if (failure instanceof ArchivedLineError) return { is: 'heavy' }
    if (failure instanceof QueryError && failure.code === 'TIMED_OUT') return { is: 'timedOut' }
    if (failure instanceof QueryError) {
      const isUnknownName = failure.code.endsWith('_NOT_FOUND')
      return { is: 'refused', isUnknownName, message: failure.message }
    }
    if (failure instanceof DatabaseError) {
      connection.close()
      // If somebody has changed the tables, trying again later won't help.
      if (failure.code === 'SCHEMA_CHANGED') return { is: 'failed', stack: failure.message }
    }
    if (failure instanceof DatabaseError || failure instanceof PostgresError) {
      return { is: 'unavailable', message: failure.message, code: failure.code }
    }
    return { is: 'failed', stack: failure instanceof Error ? (failure.stack ?? '') : String(failure) }
  }
}

async function ask(message: QueryMessage): Promise<unknown> {
  const { task, timeoutMs } = message
  const ask = QUERIES[task.query]
  const deadline = performance.now() + timeoutMs
  const database = connection.get()
  // Set before the connection connects again, which takes a while if the server doesn't answer.
  database.setDeadline?.(deadline, timedOut)
  if (task.window === undefined) return await ask(database, message)
  const window = resolveWindow(task.window, Date.now())
  const options = { ...task.options, ...window, deadline }
  return await ask(database, { ...message, task: { ...task, options } })
}

// Terminals and supervisors signal every process of a group. This one keeps running until its
// parent disconnects.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
try {
  // If memory runs out, the kernel should kill a question rather than the projector.
  writeFileSync('/proc/self/oom_score_adj', '500')
} catch {
  // Outside Linux, or in a sandbox, the kernel may kill any process.
}
try {
  // A database on a read-only mount is copied now, because copying may take longer than a question.
  connection.get()
} catch {
  // Clients get the error when they ask.
}
process.on('message', (question: QueryMessage) => void answer(question).then(send))
process.on('disconnect', () => process.exit())
send({ is: 'ready' })
