import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import type { PostgresAddress, TLS_PARAMETERS } from './address.js'
import { PostgresError } from './errors.js'

/** The modes of libpq. Node-postgres gives some of these words other meanings. */
const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

type Mode = (typeof MODES)[number]

/** A way to connect: without TLS, or with it. */
export type TlsWay = false | ConnectionOptions

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Returns the ways to connect to a server, to be tried one after the other, by the rules of libpq.
 * The settings come from the address's parameters, else from PGSSLMODE, PGSSLROOTCERT, PGSSLCERT
 * and PGSSLKEY, else from the files in ~/.postgresql. The default is `prefer`.
 *
 * @param home the directory that has `.postgresql`.
 * @throws PostgresError ADDRESS_INVALID for a mode that libpq doesn't have, or for a file that
 *   isn't there.
 */
export function tlsWays(
  { url, name }: PostgresAddress,
  environment: Environment = process.env,
  home = homedir(),
): TlsWay[] {
  const parameters = new URL(url).searchParams
  const value = (parameter: (typeof TLS_PARAMETERS)[number]) =>
    parameters.get(parameter) || environment[`PG${parameter.toUpperCase()}`] || undefined
  const mode = value('sslmode') ?? 'prefer'
  if (!isMode(mode)) throw invalid(name, `sslmode is ${mode}, expected one of ${MODES.join(', ')}`)
  if (mode === 'disable') return [false]

  const file = (parameter: (typeof TLS_PARAMETERS)[number], usual: string): string | null => {
    const path = value(parameter)
    if (path !== undefined) return path
    const found = join(home, '.postgresql', usual)
    return existsSync(found) ? found : null
  }
  const options: ConnectionOptions = {
    ...trust(mode, file('sslrootcert', 'root.crt'), name),
    ...ownCertificate(file('sslcert', 'postgresql.crt'), file('sslkey', 'postgresql.key'), name),
  }
  if (mode === 'allow') return [false, options]
  if (mode === 'prefer') return [options, false]
  return [options]
}

/** Returns how the client verifies the server's certificate. */
function trust(mode: Mode, root: string | null, name: string): ConnectionOptions {
  const verifies = mode.startsWith('verify')
  if (root === 'system') {
    if (mode === 'verify-full') return {}
    throw invalid(name, `sslmode is ${mode}, expected verify-full with sslrootcert=system`)
  }
  if (root === null || (!verifies && !existsSync(root))) {
    if (!verifies) return { rejectUnauthorized: false }
    const advice = 'name the file with sslrootcert or PGSSLROOTCERT, or put it into ~/.postgresql/root.crt'
    throw invalid(name, `sslmode is ${mode}, which needs the certificate of an authority: ${advice}`)
  }
  // As in libpq, the server's certificate is checked with `require` too if there is an authority's
  // certificate.
  if (mode === 'allow' || mode === 'prefer') return { rejectUnauthorized: false }
  const ca = read(root, 'sslrootcert', name)
  return mode === 'verify-full' ? { ca } : { ca, checkServerIdentity: () => undefined }
}

/** Returns the client's own certificate and key. */
function ownCertificate(certificate: string | null, key: string | null, name: string): ConnectionOptions {
  if (certificate === null || key === null) return {}
  return { cert: read(certificate, 'sslcert', name), key: read(key, 'sslkey', name) }
}

function read(path: string, parameter: string, name: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw invalid(name, `${parameter} can't be read (${(error as Error).message})`)
  }
}

function isMode(text: string): text is Mode {
  return (MODES as readonly string[]).includes(text)
}

function invalid(name: string, found: string): PostgresError {
  return new PostgresError('ADDRESS_INVALID', name, found)
}
