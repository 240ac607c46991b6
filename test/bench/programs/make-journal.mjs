// Makes a journal by writing its segments: one a day, as if writers had been there every day. The events are generated,
// or those of the trace, each copy of which is a day later than the one before. Generated ones may come without costs, after
// prices of all models and an exchange rate an hour.
import { spawn } from 'node:child_process'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DAY_MS, generateEvents, hourlyRates, pricesOf } from '../harness/events.mjs'
import { writeIdentity } from '../harness/journals.mjs'
import { encodeLine } from '../harness/line.mjs'
import { TRACE, traceOptions } from '../harness/trace.mjs'

/** Fixed, so that a seed gives the same bytes at every run. All of them are over, so the projector seals them. */
const FIRST_DAY_MS = Date.parse('2025-10-01T00:00:00Z')

const {
  directory,
  events,
  days,
  seed,
  today = false,
  untilToday = false,
  source = 'generator',
  priced = false,
} = JSON.parse(process.argv[2] ?? '')
// A segment of today is not over: nothing seals it.
const todayMs = Math.floor(Date.now() / DAY_MS) * DAY_MS
const fromMs = today ? todayMs : untilToday ? todayMs - (days - 1) * DAY_MS : FIRST_DAY_MS
writeIdentity(directory)
let name = ''
let descriptor = -1
let chunk = ''
if (source === 'trace') {
  const trace = spawn(process.execPath, [TRACE, ...traceOptions(events)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: trace.stdout })) add(JSON.parse(line))
} else {
  const toMs = fromMs + days * DAY_MS
  if (priced) {
    open(fromMs)
    for (const price of pricesOf({ fromMs, factor: 1 })) chunk += encodeLine(price, 'price_set')
    for (const rate of hourlyRates({ fromMs, toMs })) chunk += encodeLine(rate, 'exchange_rate_observed')
  }
  for (const event of generateEvents({ events, seed, fromMs, toMs })) {
    add(priced ? { ...event, cost_sats: null, provider_cost_sats: null } : event)
  }
}
finishSegment()
process.stdout.write('{}\n')

/** @param {{ timestamp: string }} event */
function add(event) {
  open(Date.parse(event.timestamp))
  chunk += encodeLine(event)
  if (chunk.length > 1 << 20) writeChunk()
}

/**
 * Begins the segment of a day, unless it is open.
 *
 * @param {number} timeMs
 */
function open(timeMs) {
  const next = `${new Date(timeMs).toISOString().slice(0, 10)}.ndjson`
  if (next === name) return
  finishSegment()
  name = next
  descriptor = openSync(join(directory, name), 'ax', 0o600)
}

function writeChunk() {
  const bytes = Buffer.from(chunk)
  for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written)
  chunk = ''
}

function finishSegment() {
  if (descriptor === -1) return
  writeChunk()
  fsyncSync(descriptor)
  closeSync(descriptor)
}
