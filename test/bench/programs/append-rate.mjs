// One of several writers on one journal: logs its events as fast as it can, from the moment the parent says go.
import { openCaller } from './callers.mjs'
import { answer, configuration, monotonicNs, nextTick, readEvents, readyAndGo } from './support.mjs'

const CALLS_A_TURN = 100

const { caller: name, directory, eventsFile, warmUp } = configuration
const events = readEvents(eventsFile)
const caller = await openCaller(name, directory, {})
for (const event of events.slice(0, warmUp)) caller.log(event)
await readyAndGo()

const startedNs = monotonicNs()
for (let index = 0; index < events.length; index++) {
  caller.log(events[index])
  if (index % CALLS_A_TURN === CALLS_A_TURN - 1) await nextTick()
}
const endedNs = monotonicNs()
await caller.finish()
answer({ events: events.length, startedNs, endedNs })
