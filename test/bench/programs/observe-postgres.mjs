// Looks at a PostgreSQL database, as a reader of its own, and says when how many rows of its one journal were there: the
// number moves in the transaction that brings them.
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { answer, configuration, monotonicNs, readyAndGo } from './support.mjs'

/** When the last row is given up. */
const LIMIT_MS = 60_000

const { database, count } = configuration
const client = new pg.Client(database)
await client.connect()
const rows = { name: 'rows', text: 'SELECT next_ordinal - 1 AS rows FROM request_journal.journals' }
await client.query(rows)
await readyAndGo()

/** @type {[number, number][]} */
const sightings = []
let last = 0
let lastNs = monotonicNs()
while (last < count) {
  const seen = Number((await client.query(rows)).rows[0]?.rows ?? 0)
  const nowNs = monotonicNs()
  if (seen > last) {
    sightings.push([seen, nowNs])
    last = seen
    lastNs = nowNs
  } else if (nowNs - lastNs > LIMIT_MS * 1e6) {
    throw new Error(`only ${last} of ${count} rows came within ${LIMIT_MS / 1000} s of the one before`)
  }
  await sleep(1)
}
await client.end()
answer({ sightings })
