/**
 * The things that can be wrong with a PostgreSQL database. The codes are stable:
 *
 * - `DRIVER_MISSING`: the packages `pg` and `pg-copy-streams` aren't installed.
 * - `ADDRESS_INVALID`: the address isn't a PostgreSQL address, has a password or an unknown
 *   parameter in it, or asks for TLS in a way that can't be followed.
 * - `SERVER_AWAY`: the server can't be reached, refuses connections or writes for now (starting,
 *   full, too many connections, read-only), or rolled back a transaction. This is temporary, so a
 *   projector tries again.
 * - `LOGIN_REFUSED`: the server doesn't accept the user, the password or the database's name.
 * - `TLS_REFUSED`: the server has no TLS although it is asked for, or its certificate isn't one
 *   that is trusted.
 * - `RIGHTS_MISSING`: the user may not do what the command needs.
 * - `POOLER_BETWEEN`: there is a pooler between this program and the server, through which no
 *   session-level lock holds.
 * - `SCHEMA_MISSING`, `SCHEMA_BEHIND`: the tables aren't there, or not those of this version.
 * - `SCHEMA_TOO_NEW`: a newer version of request-journal has migrated the schema.
 * - `MIGRATION_EDITED`: the text of an applied migration isn't what was applied.
 * - `PROJECTOR_RUNNING`: another projector or replay is writing this journal's rows.
 * - `TABLES_RESTORED`: the tables aren't as this program left them: they were restored or created
 *   again while it was connected. This is temporary, since a projector goes on from the positions
 *   that they have.
 * - `ROW_IDS_EXHAUSTED`: the journal has had as many requests as its share of the ids holds.
 */
export const POSTGRES_ERROR_CODES = [
  'DRIVER_MISSING',
  'ADDRESS_INVALID',
  'SERVER_AWAY',
  'LOGIN_REFUSED',
  'TLS_REFUSED',
  'RIGHTS_MISSING',
  'POOLER_BETWEEN',
  'SCHEMA_MISSING',
  'SCHEMA_BEHIND',
  'SCHEMA_TOO_NEW',
  'MIGRATION_EDITED',
  'PROJECTOR_RUNNING',
  'TABLES_RESTORED',
  'ROW_IDS_EXHAUSTED',
] as const

export type PostgresErrorCode = (typeof POSTGRES_ERROR_CODES)[number]

/**
 * Thrown when something is wrong with a PostgreSQL database. `address` names it without a password;
 * `cause` is the driver's error.
 */
export class PostgresError extends Error {
  override readonly name = 'PostgresError'
  readonly code: PostgresErrorCode
  readonly address: string

  constructor(code: PostgresErrorCode, address: string, message: string, options?: ErrorOptions) {
    super(`${address}: ${message}`, options)
    this.code = code
    this.address = address
  }
}

/** Temporary errors, by SQLSTATE and message, and what each means in words. */
const TRANSIENT: readonly [pattern: RegExp, meaning: string][] = [
  [/^08/, 'the connection was lost'],
  [/^57P0[123] /, 'the server is stopping or starting'],
  [/^57P05 /, 'the server closed an idle connection'],
  [/^57014 /, 'the server ended a statement that took too long'],
  [/^53300 /, 'the server has too many connections'],
  [/^53100 /, 'the disk of the server is full'],
  [/^53/, 'the server lacks resources'],
  [/^25006 /, 'the server is a read-only replica'],
  [/^40/, 'the server rolled back the transaction because of another one'],
  [/^55P03 /, 'another transaction held a lock for too long'],
  [/^58/, 'the server reports an error of its operating system'],
  [/^XX/, 'the server reports an internal error'],
  [/^0A000 cached plan/, 'the schema was migrated meanwhile'],
  [/^23514 .*partition constraint/, 'rows were inserted while the partition of their month was being made'],
]

/** Other errors, by SQLSTATE, and what to do about them. */
const PERMANENT: readonly [pattern: RegExp, code: PostgresErrorCode, advice: string][] = [
  [
    /^(28|3D000)/,
    'LOGIN_REFUSED',
    'check the user, the database and the password (PGPASSWORD or ~/.pgpass), and pg_hba.conf of the server',
  ],
  [/^42501$/, 'RIGHTS_MISSING', 'connect as the role for this command, or grant it: docs/fleet.md has both'],
  [
    /^(42P01|42703|42883|3F000)$/,
    'SCHEMA_MISSING',
    'run `request-journal migrate` as the owner of the schema',
  ],
]

/** Errors of a socket that mean that the server can't be reached now. */
const SOCKET = /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_|ENOENT|EADDR)/

/** What node-postgres says about a connection that was lost before a statement was sent. */
const BROKEN_BEFORE = /Client has encountered a connection error|not queryable/

/** What node-postgres says about a connection that is lost. It has no code for this. */
const LOST = /Connection terminated|Client has encountered a connection error|not queryable|timeout expired/

/** Errors of a handshake, and of a certificate. */
const TLS =
  /^(ERR_TLS|ERR_O?SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|INVALID_CA|INVALID_PURPOSE|HOSTNAME_)/

/** What node-postgres says if the server doesn't accept TLS. It has no code for this. */
const NO_TLS = /does not support SSL|establishing an SSL connection/

/** What node-postgres says if it has no password. It has no code for this. */
const NO_PASSWORD = /client password must be a/

/** The code with which a server refuses a client for using TLS, or for not using it. */
const OTHER_WAY = '28000'

/** Whether connecting in another way, without TLS or with it, may succeed. */
export function isAboutTls(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return code === OTHER_WAY || TLS.test(code) || NO_TLS.test(message)
}

/** Whether the error says that a statement has waited for a lock for as long as it may. */
export function isLockTimeout(error: unknown): boolean {
  return causeOf(error).code === '55P03'
}

/**
 * Whether the error says that rows were inserted while the partition of their month was being made.
 */
export function isPartitionConflict(error: unknown): boolean {
  const { code, message = '' } = causeOf(error)
  return code === '23514' && message.includes('partition constraint')
}

/** The driver's error behind one of ours. */
function causeOf(error: unknown): { code?: string; message?: string } {
  return error instanceof PostgresError ? (error.cause ?? {}) : {}
}

/** Returns an error of the driver as a {@link PostgresError}, and any other error as it is. */
export function asPostgresError(error: unknown, address: string): unknown {
  if (!(error instanceof Error) || error instanceof PostgresError) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const as = (to: PostgresErrorCode, text: string) => new PostgresError(to, address, text, { cause: error })
  const meaning = TRANSIENT.find(([pattern]) => pattern.test(`${code} ${error.message}`))?.[1]
  if (meaning !== undefined) return as('SERVER_AWAY', `${meaning} (${error.message}, ${code})`)
  if (SOCKET.test(code) || LOST.test(error.message)) {
    const text = BROKEN_BEFORE.test(error.message)
      ? 'the connection was lost'
      : `the server can't be reached (${error.message || code})`
    return as('SERVER_AWAY', text)
  }
  if (NO_PASSWORD.test(error.message)) {
    return as('LOGIN_REFUSED', 'the server asks for a password: set PGPASSWORD or write it to ~/.pgpass')
  }
  if (TLS.test(code) || NO_TLS.test(error.message)) {
    const advice = 'check sslmode and sslrootcert (PGSSLMODE, PGSSLROOTCERT), and ssl on the server'
    // Node.js ends with a colon if a certificate has no names.
    return as('TLS_REFUSED', `${error.message.replace(/[:\s]+$/, '')}: ${advice}`)
  }
  const [, refused, advice] = PERMANENT.find(([pattern]) => pattern.test(code)) ?? []
  return refused === undefined ? error : as(refused, `${error.message} (${code}): ${advice}`)
}
