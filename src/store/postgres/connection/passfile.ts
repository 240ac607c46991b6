import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The login for which a password is looked up. */
export interface Login {
  /** A name, an address, or the folder of a socket. */
  host: string
  port: number
  database: string
  user: string
}

/** The permissions that nobody but the owner may have on a file of passwords. */
const OTHERS = 0o077

/**
 * Returns the password that PGPASSFILE or ~/.pgpass has for a login, by the rules of libpq:
 * `host:port:database:user:password`, where `*` matches anything and a backslash escapes the next
 * character. Node-postgres does this too, but warns that it will soon stop doing so.
 *
 * @returns undefined if the file has none, or if others may read or write the file.
 */
export function passwordFromFile(
  login: Login,
  path = process.env['PGPASSFILE'] || join(homedir(), '.pgpass'),
): string | undefined {
  let text: string
  try {
    const stats = statSync(path)
    if (!stats.isFile() || (stats.mode & OTHERS) !== 0) return undefined
    text = readFileSync(path, 'utf8')
  } catch {
    // The file is optional.
    return undefined
  }
  const host = login.host.startsWith('/') ? 'localhost' : login.host
  const asked = [host, String(login.port), login.database, login.user]
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue
    const fields = [...line.matchAll(/((?:\\.|[^:\\])*)(:|$)/g)].map(([, field = '']) => field)
    const isOurs = asked.every((value, n) => fields[n] === '*' || unescaped(fields[n] ?? '') === value)
    if (isOurs && fields[PASSWORD] !== undefined && fields[PASSWORD] !== '')
      return unescaped(fields[PASSWORD])
  }
  return undefined
}

/** The index of the password among a line's fields. */
const PASSWORD = 4

function unescaped(field: string): string {
  return field.replaceAll(/\\(.)/g, '$1')
}
