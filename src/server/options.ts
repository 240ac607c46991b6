import { resolve } from 'node:path'
import { type Logger, silentLogger } from '../journal/logger.js'
import { databaseName } from '../store/open-store.js'
import { DEFAULT_SCHEMA } from '../store/postgres/connection/address.js'

export type ServerLogger = Logger

export interface ServerOptions {
  /**
   * The database file, or the `postgres://` address of a database that many journals share. Until
   * it exists, questions are answered with 503.
   */
  database: string
  /** The schema of the tables in PostgreSQL. @default 'request_journal' */
  schema?: string | undefined
  /**
   * The directory of the journal that `project` projects, and whose lag is measured. It needn't
   * exist: with PostgreSQL, the server also answers for other hosts' journals.
   * @default 'journal'
   */
  journal?: string | undefined
  /**
   * The name or address to listen on. A token is needed unless only this machine can reach it.
   * @default '127.0.0.1'
   */
  host?: string | undefined
  /** The port to listen on; 0 takes a free one. @default 8790 */
  port?: number | undefined
  /**
   * The token that every route but `/healthz` and `/livez` requires, as `Bearer` or as the password
   * of `Basic`. If there are several, any of them will do, so that one can be replaced by another.
   * @default no token is required
   */
  token?: string | readonly string[] | undefined
  /**
   * Names that are accepted in the Host header in addition to `localhost` and `host`, such as the
   * name of a proxy.
   * @default []
   */
  allowedHosts?: readonly string[] | undefined
  /** Runs the projector too, in a thread of this process. @default false */
  project?: boolean | undefined
  /**
   * Takes events of other programs and hosts with `POST /v1/events`, and appends them to the
   * journal. It needs `token` or `ingestToken`. Only one server of a journal should do so: a server
   * knows only the idempotency-keys that it has received itself.
   * @default false
   */
  ingest?: boolean | undefined
  /**
   * One or several tokens that are only good for appending requests and ends of streams with
   * `POST /v1/events`. Prices and exchange rates need `token`. Only with `ingest`.
   * @default only `token` is good for appending events
   */
  ingestToken?: string | readonly string[] | undefined
  /**
   * The labels by which the projector keeps roll-ups; only with `project`.
   * @default the labels by which the database has roll-ups
   */
  rollupLabels?: readonly string[] | undefined
  /** @default nothing is logged */
  logger?: ServerLogger | undefined
  /** The greatest lag at which `/healthz` is still ok, in seconds. @default 60 */
  maxLagSeconds?: number | undefined
  /** How long a query may wait for its turn, and also how long it may then run. @default 10000 */
  queryTimeoutMs?: number | undefined
  /** How many streams may be open at once; one more is refused with 503. @default 64 */
  maxStreams?: number | undefined
  /** How many processes answer queries, one query each at a time. @default 2 */
  queryThreads?: number | undefined
  /**
   * How people call this program in a shell, in the folder of this process. The page shows commands
   * that begin with it while it has no requests to show.
   * @default 'npx request-journal'
   */
  program?: string | undefined
}

type Given = { [name in keyof ServerOptions]-?: Exclude<ServerOptions[name], undefined> }

export interface ResolvedOptions extends Omit<Given, 'token' | 'ingestToken' | 'rollupLabels'> {
  token: readonly string[] | null
  ingestToken: readonly string[]
  rollupLabels: readonly string[] | undefined
}

const DEFAULTS: Omit<ResolvedOptions, 'database'> = {
  schema: DEFAULT_SCHEMA,
  journal: 'journal',
  host: '127.0.0.1',
  port: 8790,
  token: null,
  allowedHosts: [],
  project: false,
  ingest: false,
  ingestToken: [],
  rollupLabels: undefined,
  logger: silentLogger,
  maxLagSeconds: 60,
  queryTimeoutMs: 10_000,
  maxStreams: 64,
  queryThreads: 2,
  program: 'npx request-journal',
}

const NAMES = ['database', ...Object.keys(DEFAULTS)]

/** What is expected of each option that is a text. */
const TEXTS = {
  database: 'a path or an address',
  schema: 'a name',
  journal: 'a path',
  host: 'a name or an address',
  program: 'the beginning of a command',
}

/** The least and the greatest value of each option that is a whole number. */
const RANGES = {
  port: [0, 65_535],
  maxLagSeconds: [1, 1e9],
  queryTimeoutMs: [1, 3_600_000],
  maxStreams: [0, 10_000],
  queryThreads: [1, 16],
} as const

/** Fills the defaults. @throws TypeError that names an unknown option, or one out of range. */
export function resolveOptions(options: ServerOptions): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) {
      throw new TypeError(`startServer has no option '${name}'; its options are ${NAMES.join(', ')}`)
    }
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null)
  const resolved = { ...DEFAULTS, ...(Object.fromEntries(given) as Partial<Given> & { database: string }) }
  const { database, journal, project, ingest, rollupLabels } = resolved
  for (const [name, expected] of Object.entries(TEXTS)) {
    const found: unknown = resolved[name as keyof typeof TEXTS]
    expect(typeof found === 'string' && found !== '', name, found, expected)
  }
  const hasProjector = rollupLabels === undefined || project
  expect(hasProjector, 'rollupLabels', rollupLabels, 'to be left out without `project`')
  const ingestToken = textsOf(resolved.ingestToken)
  expect(ingestToken.length === 0 || ingest, 'ingestToken', '(hidden)', 'to be left out without `ingest`')
  for (const [name, [least, greatest]] of Object.entries(RANGES)) {
    const found = resolved[name as keyof typeof RANGES]
    const isInRange = Number.isSafeInteger(found) && found >= least && found <= greatest
    expect(isInRange, name, found, `a whole number from ${least} to ${greatest}`)
  }
  const token = resolved.token === null ? null : textsOf(resolved.token)
  return { ...resolved, token, ingestToken, database: databaseName(database), journal: resolve(journal) }
}

function textsOf(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value
}

function expect(holds: boolean, option: string, found: unknown, expected: string): asserts holds {
  if (!holds)
    throw new TypeError(`Option '${option}' of startServer: found ${String(found)}, expected ${expected}`)
}
