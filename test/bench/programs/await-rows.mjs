// Waits until a database that somebody else fills has so many rows.
import { setTimeout as sleep } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { answer, configuration } from './support.mjs'

const LOOK_MS = 100
/** When nothing more is expected. */
const LIMIT_MS = 120_000

const { database: path, count } = configuration
const database = new SQLite(path, { readonly: true, timeout: 5000 })
const greatestId = database.prepare('SELECT max(id) FROM requests').pluck()
let last = -1
let lastAt = performance.now()
for (;;) {
  const id = Number(greatestId.get() ?? 0)
  if (id >= count) break
  if (id > last) {
    last = id
    lastAt = performance.now()
  }
  if (performance.now() - lastAt > LIMIT_MS)
    throw new Error(`only ${last} of ${count} rows came, and none for ${LIMIT_MS / 1000} s`)
  await sleep(LOOK_MS)
}
database.close()
answer({})
