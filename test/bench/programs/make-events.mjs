// Writes events as NDJSON: the trace where its script lies beside this checkout, repeated as often as it takes; else
// generated ones.
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { DAY_MS, generateEvents } from '../harness/events.mjs'
import { hasTrace, TRACE, traceOptions } from '../harness/trace.mjs'

const FROM_MS = Date.parse('2025-10-01T00:00:00Z')

const { path, events, seed } = JSON.parse(process.argv[2] ?? '')
const descriptor = openSync(path, 'ax')
const source = hasTrace() ? 'trace' : 'generator'
if (source === 'trace') {
  const { status } = spawnSync(process.execPath, [TRACE, ...traceOptions(events)], {
    stdio: ['ignore', descriptor, 'inherit'],
  })
  if (status !== 0) throw new Error(`${TRACE} ended with exit code ${status}`)
} else {
  for (const event of generateEvents({ events, seed, fromMs: FROM_MS, toMs: FROM_MS + 30 * DAY_MS })) {
    writeSync(descriptor, `${JSON.stringify(event)}\n`)
  }
}
closeSync(descriptor)
process.stdout.write(`${JSON.stringify({ source })}\n`)
