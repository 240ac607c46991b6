// Appends at a steady rate, or in bursts with a pause behind each, and says when each append returned.
import { setTimeout as sleep } from 'node:timers/promises'
import { openCaller } from './callers.mjs'
import { answer, configuration, monotonicNs, readEvents, readyAndGo } from './support.mjs'

const { caller: name, directory, eventsFile, count, perSecond, burst } = configuration
const events = readEvents(eventsFile).slice(0, count)
const caller = await openCaller(name, directory, {})
await readyAndGo()

/** @type {number[]} */
const appendedNs = []
const startedNs = monotonicNs()
if (burst === undefined) {
  while (appendedNs.length < count) {
    const due = Math.min(count, Math.floor(((monotonicNs() - startedNs) / 1e9) * perSecond) + 1)
    while (appendedNs.length < due) append()
    await sleep(1)
  }
} else {
  while (appendedNs.length < count) {
    const end = Math.min(count, appendedNs.length + burst.events)
    while (appendedNs.length < end) {
      append()
      await sleep(burst.spacingMs)
    }
    await sleep(burst.pauseMs)
  }
}
await caller.finish()
answer({ appendedNs })

function append() {
  caller.log(events[appendedNs.length])
  appendedNs.push(monotonicNs())
}
