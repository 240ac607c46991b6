// Looks at a database four times a millisecond, as a reader of its own, and says when which row was there. Rows are
// counted from those that were there before.
import { setTimeout as sleep } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { answer, configuration, monotonicNs, readyAndGo } from './support.mjs'

/** Finer than what is measured, and little enough that the observer doesn't take the second core. */
const LOOK_MS = 0.25
/** When the last row is given up. */
const LIMIT_MS = 60_000

const { database: path, count, before = 0 } = configuration
const database = new SQLite(path, { readonly: true, timeout: 5000 })
const greatestId = database.prepare('SELECT max(id) - ? FROM requests').pluck()
await readyAndGo()

/** @type {[number, number][]} */
const sightings = []
const pause = new Int32Array(new SharedArrayBuffer(4))
let last = 0
let lastNs = monotonicNs()
while (last < count) {
  const id = Number(greatestId.get(before) ?? 0)
  const nowNs = monotonicNs()
  if (id > last) {
    sightings.push([id, nowNs])
    last = id
    lastNs = nowNs
  } else if (nowNs - lastNs > LIMIT_MS * 1e6) {
    throw new Error(`only ${last} of ${count} rows came within ${LIMIT_MS / 1000} s of the one before`)
  }
  Atomics.wait(pause, 0, 0, LOOK_MS)
  if (sightings.length % 100 === 0) await sleep(0)
}
database.close()
answer({ sightings })
