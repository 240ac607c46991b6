import { resolve } from 'node:path'
import { type Logger, silentLogger } from '../journal/logger.js'

export type ServerLogger = Logger

export interface ServerOptions {
  /** The database file. Until a projector has made it, questions are answered with 503. */
  database: string
  /**
   * The journal's directory, which `project` projects and the lag is measured against. It needn't
   * exist.
   * @default 'journal'
   */
  journal?: string | undefined
  /**
   * The name or address to listen on. Any but this machine's own needs a token.
   * @default '127.0.0.1'
   */
  host?: string | undefined
  /**
   * The port to listen on; 0 takes a free one.
   * @default 8790
   */
  port?: number | undefined
  /**
   * The token that every route but `/healthz` and `/livez` asks for, as `Bearer` or as the password
   * of `Basic`.
   * @default none is asked for
   */
  token?: string | undefined
  /**
   * Names that may stand in the Host header beside `localhost` and `host`, such as a proxy's.
   * @default []
   */
  allowedHosts?: readonly string[] | undefined
  /**
   * Runs the projector too, in a thread of this process.
   * @default false
   */
  project?: boolean | undefined
  /**
   * Labels that the projector keeps roll-ups by; only with `project`.
   * @default those that the database has
   */
  rollupLabels?: readonly string[] | undefined
  /** @default nothing is logged */
  logger?: ServerLogger | undefined
  /**
   * The greatest lag at which `/healthz` is still ok, in seconds.
   * @default 60
   */
  maxLagSeconds?: number | undefined
  /**
   * How long a query may wait for its turn, and then how long it may run.
   * @default 10000
   */
  queryTimeoutMs?: number | undefined
  /**
   * The most streams that may be open at once; one more is answered with 503.
   * @default 64
   */
  maxStreams?: number | undefined
  /**
   * How many processes answer queries, one query each at a time.
   * @default 2
   */
  queryThreads?: number | undefined
}

type Given = { [name in keyof ServerOptions]-?: Exclude<ServerOptions[name], undefined> }

export interface ResolvedOptions extends Omit<Given, 'database' | 'token' | 'rollupLabels'> {
  databasePath: string
  token: string | null
  rollupLabels: readonly string[] | undefined
}

const NAMES = new Set([
  'database',
  'journal',
  'host',
  'port',
  'token',
  'allowedHosts',
  'project',
  'rollupLabels',
  'logger',
  'maxLagSeconds',
  'queryTimeoutMs',
  'maxStreams',
  'queryThreads',
])

/**
 * Fills the defaults. @throws TypeError for an unknown option or a value out of range, naming it.
 */
export function resolveOptions(options: ServerOptions): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) {
      throw new TypeError(`Unknown option '${name}' of startServer; it has ${[...NAMES].join(', ')}`)
    }
  }
  const { database, journal = 'journal', host = '127.0.0.1', project = false } = options
  expect(typeof database === 'string' && database !== '', 'database', database, 'a path')
  expect(typeof journal === 'string' && journal !== '', 'journal', journal, 'a path')
  expect(typeof host === 'string' && host !== '', 'host', host, 'a name or an address')
  const { rollupLabels } = options
  expect(
    rollupLabels === undefined || project,
    'rollupLabels',
    rollupLabels,
    'to be left out without `project`',
  )
  return {
    databasePath: resolve(database),
    journal: resolve(journal),
    host,
    port: wholeNumber('port', options.port ?? 8790, 0, 65_535),
    token: options.token ?? null,
    allowedHosts: options.allowedHosts ?? [],
    project,
    rollupLabels,
    logger: options.logger ?? silentLogger,
    maxLagSeconds: wholeNumber('maxLagSeconds', options.maxLagSeconds ?? 60, 1, 1e9),
    queryTimeoutMs: wholeNumber('queryTimeoutMs', options.queryTimeoutMs ?? 10_000, 1, 3_600_000),
    maxStreams: wholeNumber('maxStreams', options.maxStreams ?? 64, 0, 10_000),
    queryThreads: wholeNumber('queryThreads', options.queryThreads ?? 2, 1, 16),
  }
}

function wholeNumber(name: string, found: number, least: number, greatest: number): number {
  const isInRange = Number.isSafeInteger(found) && found >= least && found <= greatest
  expect(isInRange, name, found, `a whole number from ${least} to ${greatest}`)
  return found
}

function expect(holds: boolean, option: string, found: unknown, expected: string): void {
  if (!holds)
    throw new TypeError(`Option '${option}' of startServer: found ${String(found)}, expected ${expected}`)
}
