import { PostgresError } from './errors.js'

/** Whether a database is named by an address of PostgreSQL rather than by the path of a file. */
export function isPostgresAddress(database: string): boolean {
  return /^postgres(ql)?:\/\//.test(database)
}

/** The schema of the tables, unless another one is named. */
export const DEFAULT_SCHEMA = 'request_journal'

/** The parameters of an address that are about TLS. */
export const TLS_PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'] as const

/**
 * All parameters that an address may have. Other parameters of libpq would be ignored silently, so
 * they are refused.
 */
const PARAMETERS: readonly string[] = [
  ...TLS_PARAMETERS,
  'host',
  'port',
  'user',
  'options',
  'application_name',
  'client_encoding',
]

/** An address of PostgreSQL, checked. */
export interface PostgresAddress {
  /**
   * The address as it was given. What it leaves out is taken from libpq's environment variables.
   */
  readonly url: string
  /** The address for messages, which never includes a password. */
  readonly name: string
}

/**
 * Checks an address.
 *
 * @throws PostgresError ADDRESS_INVALID if it isn't an address of PostgreSQL, if it has a password,
 *   which process lists and logs would show, or a parameter that isn't known, such as a mistyped
 *   `sslmode`.
 */
export function postgresAddress(text: string): PostgresAddress {
  const url = URL.canParse(text) ? new URL(text) : null
  const shown = text.replace(/(:\/\/[^/@]*?):[^@]*@/, '$1@').replace(/([?&]password=)[^&]*/gi, '$1…')
  if (url === null || !isPostgresAddress(text)) {
    throw new PostgresError('ADDRESS_INVALID', shown, 'expected postgres://user@host:port/database')
  }
  if (url.password !== '' || url.searchParams.has('password')) {
    const advice = 'leave it out, and set PGPASSWORD or write it to ~/.pgpass'
    throw new PostgresError('ADDRESS_INVALID', shown, `the address has a password: ${advice}`)
  }
  const unknown = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name))
  if (unknown !== undefined) {
    const expected = `expected one of ${PARAMETERS.join(', ')}`
    throw new PostgresError('ADDRESS_INVALID', shown, `the parameter ${unknown} isn't known: ${expected}`)
  }
  return { url: text, name: shown }
}
