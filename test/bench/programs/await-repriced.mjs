// Waits until a projector has computed costs again, or has come to a timestamp with it.
import { setTimeout as sleep } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { answer, configuration, monotonicNs } from './support.mjs'

const LOOK_MS = 10
/** When it is given up. */
const LIMIT_MS = 600_000

const { database: path, prices, through } = configuration
const database = new SQLite(path, { readonly: true, timeout: 5000 })
const known = database.prepare('SELECT count(*) FROM prices').pluck()
const cursor = database.prepare('SELECT cursor_timestamp FROM repricing ORDER BY id LIMIT 1').pluck()
const limitMs = performance.now() + LIMIT_MS
for (;;) {
  // Before there are all prices, nothing waits to be repriced either.
  const timestamp = known.get() === prices ? (cursor.get() ?? null) : ''
  if (timestamp === null && through !== undefined)
    throw new Error(`all is repriced, not only up to ${through}`)
  if (timestamp === null || (through !== undefined && String(timestamp) >= through)) break
  if (performance.now() > limitMs) throw new Error(`repricing is at ${timestamp} after ${LIMIT_MS / 1000} s`)
  await sleep(LOOK_MS)
}
database.close()
answer({ atNs: monotonicNs() })
