import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout } from 'node:timers'
import { openJournal } from '../journal/append/journal.js'
import { BoundedWarnings } from '../journal/append/warnings.js'
import { checkIsDirectory } from '../journal/journal-identity.js'
import { DatabaseError, openDatabaseReadOnly, PostgresError } from '../queries/index.js'
import { isPostgresAddress, postgresAddress } from '../store/postgres/connection/address.js'
import { checkPostgres } from '../store/postgres/schema/migrations.js'
import { ServerError } from './errors.js'
import { healthReporter } from './health/health-report.js'
import { createApp } from './http/app.js'
import { hostCheck, isLoopback } from './http/origin-checks.js'
import { addDashboardRoutes } from './http/routes/dashboard.js'
import { addEventsRoute } from './http/routes/events.js'
import { addQueryRoutes } from './http/routes/queries.js'
import { addServiceRoutes } from './http/routes/service.js'
import { addStreamRoute } from './http/routes/stream.js'
import { TokenCheck } from './http/token.js'
import { Ingest } from './ingest/ingest.js'
import { type ResolvedOptions, resolveOptions, type ServerOptions } from './options.js'
import { QueryPool } from './pool/query-pool.js'
import { ProjectorThread } from './projector/projector-thread.js'
import { StreamHub } from './stream/stream-hub.js'

/** How long a server that is stopping waits for clients that read or send slowly. */
const CLOSE_MS = 5000

/** How long a client may take to read an answer, in addition to the time it waits for it. */
const READ_MS = 60_000

/** A running server. */
export interface Server {
  /** The server's address: `http://127.0.0.1:8790`. */
  readonly url: string
  /**
   * Resolves once the server is closed. Rejects with the reason if its projector has to stop for
   * good: what has been projected is still served, but nothing new appears.
   */
  readonly finished: Promise<void>
  /**
   * Ends streams, answers open questions for 5 seconds at most, and stops the projector. Further
   * calls wait for the same end.
   */
  close(): Promise<void>
}

/**
 * Serves the HTTP API, the dashboard and the metrics of a database.
 *
 * @throws TypeError for an unknown option or a value out of range.
 * @throws ServerError TOKEN_REQUIRED, TOKEN_INVALID, ADDRESS_UNAVAILABLE.
 * @throws JournalError JOURNAL_INVALID if the journal isn't a directory. With `ingest` also what
 *   `openJournal` throws.
 * @throws DatabaseError or PostgresError if the database can't be read. If it doesn't exist yet, or
 *   its server can't be reached, the server waits for it instead. With `project` also what
 *   `startProjector` throws.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const resolved = resolveOptions(options)
  const { token, ingestToken } = resolved
  const hasTokens = token !== null || ingestToken.length > 0
  const tokenCheck = hasTokens ? new TokenCheck({ all: token, ingest: ingestToken }) : null
  const { host, database, schema, journal, rollupLabels, logger } = resolved
  if (!hasTokens && resolved.ingest) {
    const text =
      'a server that takes events needs a token, because otherwise any program could forge them: give --token-file, REQUEST_JOURNAL_TOKEN or --ingest-token-file'
    throw new ServerError('TOKEN_REQUIRED', text)
  }
  if (token === null && !(await isLoopback(host))) {
    const text = `${host} can be reached from other machines, and no token is set: give --token-file or REQUEST_JOURNAL_TOKEN, or listen on 127.0.0.1`
    throw new ServerError('TOKEN_REQUIRED', text)
  }
  checkIsDirectory(journal)
  if (resolved.project) await checkAddress(resolved)
  const projector = resolved.project
    ? await ProjectorThread.start({ journal, database, schema, rollupLabels }, logger)
    : null
  let ingest: Ingest | null = null
  try {
    await checkDatabase(resolved)
    if (resolved.ingest) ingest = new Ingest(openJournal({ directory: journal, logger }), journal, logger)
    return await listen(resolved, tokenCheck, projector, ingest)
  } catch (error) {
    await ingest?.close()
    await projector?.stop()
    throw error
  }
}

async function listen(
  options: ResolvedOptions,
  tokenCheck: TokenCheck | null,
  projector: ProjectorThread | null,
  ingest: Ingest | null,
): Promise<Server> {
  const { database, schema, journal, host, port } = options
  const { allowedHosts, logger, queryTimeoutMs, maxLagSeconds, program } = options
  const app = await createApp({
    checkHost: hostCheck(host, allowedHosts),
    tokenCheck,
    takesEvents: ingest !== null,
    maxRequestMs: 2 * queryTimeoutMs + READ_MS,
    logger,
  })
  const failures = new BoundedWarnings(logger)
  const pool = new QueryPool({
    database,
    schema,
    journal,
    processes: options.queryThreads,
    timeoutMs: queryTimeoutMs,
    onFailure: (error) => failures.warn(Date.now(), { err: error }, 'A question to the database failed'),
  })
  const hub = new StreamHub(pool, options.maxStreams)
  addQueryRoutes(app, pool)
  addStreamRoute(app, hub, isPostgresAddress(database))
  addServiceRoutes(app, pool, healthReporter({ pool, maxLagSeconds, projector }), {
    program,
    folder: process.cwd(),
    journal,
    database,
    schema,
  })
  if (ingest !== null) addEventsRoute(app, ingest)
  addDashboardRoutes(app)
  let projectorStopped: Promise<void> | undefined
  app.addHook('preClose', async () => {
    hub.close()
    // The projector finishes its last transaction while clients read their answers.
    projectorStopped = projector?.stop()
    // Node itself would wait as long as clients keep their connections.
    setTimeout(() => app.server.closeAllConnections(), CLOSE_MS).unref()
  })
  app.addHook('onClose', async () => {
    pool.close()
    await ingest?.close()
    await (projectorStopped ?? projector?.stop())
  })
  const finished = new Promise<void>((resolve, reject) => {
    app.addHook('onClose', async () => resolve())
    projector?.finished.catch(reject)
  })
  // Without this, a rejection would end the process if nobody awaits the promise.
  finished.catch(() => {})
  try {
    await pool.ready()
    // Browsers refuse [::], which stands for all addresses.
    const url = (await app.listen({ host, port })).replace('//[::]:', '//[::1]:')
    // This machine can reach the URL. The server may listen on more addresses.
    const addresses = app.addresses().map(addressText)
    logger.info({ url, addresses, database }, 'Serving')
    return { url, finished, close: async () => await app.close() }
  } catch (error) {
    await app.close()
    throw addressUnavailable(host, port, error)
  }
}

/**
 * Fails if the server couldn't listen. It is called before the projector starts, which may have
 * hours of work to do before the server would notice.
 *
 * @throws ServerError ADDRESS_UNAVAILABLE
 */
async function checkAddress({ host, port }: ResolvedOptions): Promise<void> {
  const probe = createServer()
  try {
    await once(probe.listen(port, host), 'listening')
  } catch (error) {
    throw addressUnavailable(host, port, error)
  }
  probe.close()
  await once(probe, 'close')
}

/** What a server waits for if the database can't be read for now. */
const WAITS: Readonly<Record<string, string>> = {
  SERVER_AWAY: 'the database server',
  SCHEMA_MISSING: 'the schema: `request-journal migrate` makes it',
  SCHEMA_BEHIND: 'the schema: `request-journal migrate` makes it',
  DATABASE_BEHIND: 'the database to be migrated: `request-journal project` does it',
}

/** Fails if the database can't be read, unless it is one that may appear later. */
async function checkDatabase({ database, schema, logger }: ResolvedOptions): Promise<void> {
  try {
    if (isPostgresAddress(database)) await checkPostgres(postgresAddress(database), schema)
    else openDatabaseReadOnly(database).close()
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'DATABASE_MISSING') {
      logger.info({ path: database }, 'Waiting for a database: `request-journal project` makes it')
      return
    }
    const waits =
      error instanceof DatabaseError || error instanceof PostgresError ? WAITS[error.code] : undefined
    if (waits === undefined) throw error
    logger.warn({ err: error }, `Waiting for ${waits}`)
  }
}

function addressText(found: AddressInfo | string): string {
  if (typeof found === 'string') return found
  const { address, port, family } = found
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}

function addressUnavailable(host: string, port: number, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall !== 'listen' && syscall !== 'getaddrinfo') return error
  const advice =
    code === 'EADDRINUSE'
      ? 'something listens there already; stop it, or choose another port with --port (proxy: --serve-port)'
      : `this machine can't listen on it (${code}); choose another with --host and --port`
  return new ServerError('ADDRESS_UNAVAILABLE', `${host}:${port}: ${advice}`, { cause: error })
}
