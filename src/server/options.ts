import { resolve } from 'node:path'
import { type Logger, silentLogger } from '../journal/logger.js'
import { databaseName } from '../store/open-store.js'
import { DEFAULT_SCHEMA } from '../store/postgres/connection/address.js'

export type ServerLogger = Logger

export interface ServerOptions {
  /**
   * The database file, or the `postgres://` address of one that many journals share. Until it is
   * there, questions are answered with 503.
   */
  database: string
  /**
   * The schema of the tables in PostgreSQL.
   * @default 'request_journal'
   */
  schema?: string | undefined
  /**
   * The journal's directory, which `project` projects and the lag is measured against. It needn't
   * exist: with PostgreSQL, whatever the database holds of other hosts' journals is served anyway.
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
   * of `Basic`. Of several each will do, so that one can be changed for another.
   * @default none is asked for
   */
  token?: string | readonly string[] | undefined
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
   * Takes events of other programs and hosts with `POST /v1/events`, into the journal. It needs
   * `token` or `ingestToken`. One server of a journal should: each knows only the idempotency-keys
   * that it was given.
   * @default false
   */
  ingest?: boolean | undefined
  /**
   * A token, or several, with which `POST /v1/events` takes requests and ends of streams, and no
   * other route answers. Prices and exchange rates need `token`. Only with `ingest`.
   * @default events are taken with `token` only
   */
  ingestToken?: string | readonly string[] | undefined
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
  /**
   * How a command begins that people can type in the folder of this process. The page names such
   * commands while it has nothing to show.
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

/** The least and the greatest value of each option that is a whole number. */
const RANGES = {
  port: [0, 65_535],
  maxLagSeconds: [1, 1e9],
  queryTimeoutMs: [1, 3_600_000],
  maxStreams: [0, 10_000],
  queryThreads: [1, 16],
} as const

/**
 * Fills the defaults. @throws TypeError for an unknown option or a value out of range, naming it.
 */
export function resolveOptions(options: ServerOptions): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) {
      throw new TypeError(`startServer has no option '${name}'; its options are ${NAMES.join(', ')}`)
    }
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null)
  const resolved = { ...DEFAULTS, ...(Object.fromEntries(given) as Partial<Given> & { database: string }) }
  const { database, schema, journal, host, project, ingest, rollupLabels, program } = resolved
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
  expect(isText(database), 'database', database, 'a path or an address')
  expect(isText(schema), 'schema', schema, 'a name')
  expect(isText(journal), 'journal', journal, 'a path')
  expect(isText(host), 'host', host, 'a name or an address')
  expect(isText(program), 'program', program, 'the beginning of a command')
  expect(
    rollupLabels === undefined || project,
    'rollupLabels',
    rollupLabels,
    'to be left out without `project`',
  )
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
