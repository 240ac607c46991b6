// What a caller pays for each call: logs the events one after the other and times every call. The event loop gets its
// turn after every hundred, as in a gateway, which is when asynchronous loggers write and timers fire.
import { distribution } from '../harness/statistics.mjs'
import { openCaller } from './callers.mjs'
import { answer, configuration, nextTick, readEvents, readyAndGo } from './support.mjs'

const CALLS_A_TURN = 100

const { caller: name, directory, eventsFile, warmUp, options = {} } = configuration
const events = readEvents(eventsFile)
const caller = await openCaller(name, directory, options)
for (let index = 0; index < warmUp; index++) {
  caller.log(events[index])
  if (index % CALLS_A_TURN === CALLS_A_TURN - 1) await nextTick()
}
await readyAndGo()

const durationsUs = new Float64Array(events.length - warmUp)
const startedAt = performance.now()
let at = startedAt
for (let index = 0; index < durationsUs.length; index++) {
  caller.log(events[index + warmUp])
  const now = performance.now()
  durationsUs[index] = (now - at) * 1000
  at = now
  if (index % CALLS_A_TURN === CALLS_A_TURN - 1) {
    await nextTick()
    at = performance.now()
  }
}
await caller.finish()
const total = ((performance.now() - startedAt) * 1000) / durationsUs.length
answer({ ...distribution(durationsUs), total })
