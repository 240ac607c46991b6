import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { type ElapsedData, STATES } from './elapsed.js'

const DRAW_EVERY_MS = 1000

const { shared, startedAt } = workerData as ElapsedData
const [IDLE, DRAWING] = [STATES.idle, STATES.drawing]
let seconds = 1

while (Atomics.wait(shared, 0, IDLE, dueInMs()) === 'timed-out') {
  if (Atomics.compareExchange(shared, 0, IDLE, DRAWING) !== IDLE) break
  shared[1] = 1
  try {
    // The cursor goes back, so that a line of the log is written over this one.
    writeSync(2, `\r\x1b[2Kstill working after ${seconds} s\r`)
  } catch {
    // The terminal is gone, or doesn't take it now.
  }
  seconds++
  Atomics.store(shared, 0, IDLE)
  Atomics.notify(shared, 0)
}

function dueInMs(): number {
  return Math.max(0, startedAt + seconds * DRAW_EVERY_MS - Date.now())
}
