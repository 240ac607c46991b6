// Writes events as NDJSON: the trace where its script lies beside this checkout, repeated as often as it takes; else
// generated ones.
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DAY_MS, generateEvents } from '../harness/events.mjs'

const TRACE = fileURLToPath(new URL('../../../../shared/tools/azure-trace-to-events.mjs', import.meta.url))
const TRACE_EVENTS = 28_185
const FROM_MS = Date.parse('2025-10-01T00:00:00Z')

const { path, events, seed } = JSON.parse(process.argv[2] ?? '')
const descriptor = openSync(path, 'ax')
const source = existsSync(TRACE) ? 'trace' : 'generator'
if (source === 'trace') {
  const repeat = Math.ceil(events / TRACE_EVENTS)
  const { status } = spawnSync(
    process.execPath,
    [TRACE, '--repeat', String(repeat), '--limit', String(events)],
    {
      stdio: ['ignore', descriptor, 'inherit'],
    },
  )
  if (status !== 0) throw new Error(`${TRACE} ended with exit code ${status}`)
} else {
  for (const event of generateEvents({ events, seed, fromMs: FROM_MS, toMs: FROM_MS + 30 * DAY_MS })) {
    writeSync(descriptor, `${JSON.stringify(event)}\n`)
  }
}
closeSync(descriptor)
process.stdout.write(`${JSON.stringify({ source })}\n`)
