import { resolve } from 'node:path'

/** The part of a pino logger that is called. */
export interface ServerLogger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface ServerOptions {
  /** The database file. Until a projector has made it, questions are answered with 503. */
  database: string
  /**
   * The journal's directory: what `project` projects, and what the lag is measured against. It need not be there.
   * @default 'journal'
   */
  journal?: string | undefined
  /**
   * The name or address to listen on. Anything but this machine's own asks for a token.
   * @default '127.0.0.1'
   */
  host?: string | undefined
  /**
   * 0 takes a free one.
   * @default 8790
   */
  port?: number | undefined
  /**
   * What every route but `/healthz` and `/livez` asks for, as `Bearer` or as the password of `Basic`.
   * @default nothing is asked for
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
   * Labels that the projector keeps roll-ups by, with `project` only.
   * @default those that the database has
   */
  rollupLabels?: readonly string[] | undefined
  /** @default nothing is logged */
  logger?: ServerLogger | undefined
  /**
   * From how much lag on `/healthz` fails, in seconds.
   * @default 60
   */
  maxLagSeconds?: number | undefined
  /**
   * How long a query may wait for its turn, and then how long it may run.
   * @default 10000
   */
  queryTimeoutMs?: number | undefined
  /**
   * Streams that are open at once; one more is 503.
   * @default 64
   */
  maxStreams?: number | undefined
  /**
   * Processes that queries run in, one query each at a time.
   * @default 2
   */
  queryThreads?: number | undefined
}

type Given = { [name in keyof ServerOptions]-?: Exclude<ServerOptions[name], undefined> }

export interface ResolvedOptions extends Omit<Given, 'token' | 'rollupLabels'> {
  token: string | null
  rollupLabels: readonly string[] | null
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

/** Fills the defaults. @throws TypeError for an unknown option or a value out of range, naming it. */
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
  const { rollupLabels = null } = options
  expect(rollupLabels === null || project, 'rollupLabels', rollupLabels, 'to be left out without `project`')
  return {
    database: resolve(database),
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

const silentLogger: ServerLogger = { debug() {}, info() {}, warn() {}, error() {} }

function wholeNumber(name: string, found: number, least: number, greatest: number): number {
  const isInRange = Number.isSafeInteger(found) && found >= least && found <= greatest
  expect(isInRange, name, found, `a whole number from ${least} to ${greatest}`)
  return found
}

function expect(holds: boolean, option: string, found: unknown, expected: string): void {
  if (!holds)
    throw new TypeError(`Option '${option}' of startServer: found ${String(found)}, expected ${expected}`)
}
