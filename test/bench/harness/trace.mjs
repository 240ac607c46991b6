import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Prints the Azure trace of 2023 as events. Beside a checkout, where there is one. */
export const TRACE = fileURLToPath(
  new URL('../../../../shared/tools/azure-trace-to-events.mjs', import.meta.url),
)

const EVENTS_A_COPY = 28_185

export function hasTrace() {
  return existsSync(TRACE)
}

/**
 * So many of its events, in as many copies as that takes, each with other UUIDs and a day later.
 *
 * @param {number} events
 */
export function traceOptions(events) {
  return ['--repeat', String(Math.ceil(events / EVENTS_A_COPY)), '--limit', String(events)]
}
