import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openJournal } from '../../journal/append/journal.js'
import { projectOnce } from '../../projection/projector.js'
import { type Server, ServerError, startServer } from '../../server/index.js'
import { note } from '../output/standard-error.js'
import { print } from '../output/standard-output.js'
import { createLogger } from '../run/logger.js'
import { stopOnSignal } from '../run/process.js'
import { type DemoClient, makeDemoClient } from './demo-client.js'
import { startDemoUpstream } from './demo-upstream.js'
import { requestsPerSecond, servedHistory, servedRequest } from './served-traffic.js'

const PORT = 8790
const STEP_MS = 50
/** How long to wait at the end for calls whose upstream is gone. */
const STOP_MS = 3000
const MAX_IN_FLIGHT = 32

/**
 * Serves the dashboard with two made-up weeks and live traffic until a signal arrives, then removes
 * everything.
 *
 * @param directory an empty folder for journal and database.
 */
export async function serveDemo(directory: string): Promise<void> {
  const stop = stopOnSignal()
  const journal = openJournal({ directory: join(directory, 'journal') })
  const upstream = await startDemoUpstream(servedRequest)
  const calls = new Set<Promise<void>>()
  let server: Server | null = null
  try {
    for (const event of servedHistory(Date.now())) journal.append(event)
    await journal.flush()
    server = await startOnSomePort(directory)
    const client = await makeDemoClient(journal, upstream.baseUrl, servedRequest)
    print(`${server.url}/?range=7d

Two made-up weeks, and live requests of ${client.name}: several providers, failures, streams,
a model without a price, labels. Journal and database are in ${directory}.
Ctrl-C ends it and removes them.`)
    await Promise.race([sendUntilStopped(client, calls, stop), server.finished])
  } finally {
    if (process.stderr.isTTY) note('')
    upstream.close()
    // The ends of these calls are still logged.
    await Promise.race([Promise.all(calls), sleep(STOP_MS)])
    await journal.close()
    await server?.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Listens on the port of `serve`, or on another one if that is taken. */
async function startOnSomePort(directory: string): Promise<Server> {
  const logger = await createLogger('warn')
  const projected = {
    journal: join(directory, 'journal'),
    database: join(directory, 'requests.db'),
    rollupLabels: ['team', 'user'],
    logger,
  }
  // Projected before the server starts, so that the page opens with all of the history.
  await projectOnce(projected)
  const options = { ...projected, project: true }
  try {
    return await startServer({ ...options, port: PORT })
  } catch (error) {
    if (!(error instanceof ServerError) || error.code !== 'ADDRESS_UNAVAILABLE') throw error
    return await startServer({ ...options, port: 0 })
  }
}

async function sendUntilStopped(
  client: DemoClient,
  calls: Set<Promise<void>>,
  stop: AbortSignal,
): Promise<void> {
  let due = 0
  let sent = 0
  let before = performance.now()
  while (!stop.aborted) {
    const now = performance.now()
    due += ((now - before) / 1000) * requestsPerSecond(Date.now())
    before = now
    // After the machine has slept, the requests of that time aren't all sent at once.
    due = Math.min(due, sent + MAX_IN_FLIGHT)
    while (sent < due && calls.size < MAX_IN_FLIGHT) {
      const call: Promise<void> = client.send(sent++).then(() => void calls.delete(call))
      calls.add(call)
    }
    await sleep(STEP_MS, null, { signal: stop }).catch(() => {})
  }
}
