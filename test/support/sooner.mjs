// Preloaded into the program (`node --import`): time-outs of SOONER_MS milliseconds pass in a tenth of that.
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'

const { setTimeout } = timers
const chosen = Number(process.env.SOONER_MS)
timers.setTimeout = (callback, ms, ...args) => setTimeout(callback, ms === chosen ? ms / 10 : ms, ...args)
globalThis.setTimeout = timers.setTimeout
syncBuiltinESMExports()
