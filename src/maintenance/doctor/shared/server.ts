import type { QueryDatabase } from '../../../store/query-database.js'
import { countText } from '../../count-text.js'
import { type Finding, note, ok, problem } from '../check.js'

/**
 * The oldest version that request-journal supports; older ones get no more fixes from PostgreSQL.
 */
const LEAST_VERSION = 14

/** How far the clocks may differ. */
const CLOCK_MS = 2000

/** Which version the server has, whether it takes writes, and whether it can hold every text. */
export function checkServer(database: QueryDatabase): Finding {
  const sql = `SELECT current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS number, current_setting('server_encoding') AS encoding,
    pg_is_in_recovery() AS is_replica`
  const { version, number, encoding, is_replica } = database.prepare(sql).get() as {
    version: string
    number: number
    encoding: string
    is_replica: boolean
  }
  const found = `PostgreSQL ${version}`
  if (is_replica) {
    const advice = 'Readers may use it; give the projector the address of the primary server'
    return problem(`${found}, a replica that only reads: a projector waits`, advice)
  }
  if (encoding !== 'UTF8') {
    const advice =
      'Make a database with ENCODING UTF8: this one refuses names and messages with characters that its ' +
      'encoding lacks'
    return problem(`${found}, whose database has the encoding ${encoding}`, advice)
  }
  if (number < LEAST_VERSION * 10_000) {
    const advice = `Upgrade the server: request-journal isn't tested with versions before ${LEAST_VERSION}`
    return note(found, advice)
  }
  return ok(`${found}, takes writes`)
}

/** Whether the server's clock and this host's show the same time. */
export function checkClock(database: QueryDatabase): Finding {
  const statement = database
    .prepare<[], number>('SELECT extract(epoch FROM clock_timestamp())::double precision * 1000')
    .pluck()
  // The first question opens a transaction, and perhaps a connection.
  statement.get()
  const sentAt = Date.now()
  const serverMs = statement.get() as number
  const answeredAt = Date.now()
  const difference = Math.round(serverMs - (sentAt + answeredAt) / 2)
  const trip = answeredAt - sentAt
  if (Math.abs(difference) <= CLOCK_MS + trip) {
    return ok(`the server's clock is this host's, to ${Math.abs(difference)} ms; an answer takes ${trip} ms`)
  }
  const found = `the server's clock is ${(Math.abs(difference) / 1000).toFixed(1)} s ${difference > 0 ? 'ahead of' : 'behind'} this host's`
  const advice = `Correct the one that is wrong (timedatectl): timestamps and names of segments are this host's, "last seen" is the server's`
  return note(found, advice)
}

/** Reports the schema. If it weren't this version's, connecting would have failed. */
export function checkSharedSchema(database: QueryDatabase, schema: string): Finding {
  const sql = 'SELECT count(*) AS n, max(file_name) AS last FROM schema_migrations'
  const { n, last } = database.prepare(sql).get() as { n: number; last: string }
  return ok(`${schema} has ${countText(n, 'migration')}, all of this version's; the last is ${last}`)
}
