// Preloaded into the program (`node --import`): with CHANGED_TIMEOUT=5000:500, time-outs of 5,000
// ms take 500 ms.
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'

const { setTimeout } = timers
const [before, after] = process.env.CHANGED_TIMEOUT.split(':').map(Number)
timers.setTimeout = (callback, ms, ...args) => setTimeout(callback, ms === before ? after : ms, ...args)
globalThis.setTimeout = timers.setTimeout
syncBuiltinESMExports()
