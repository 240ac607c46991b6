// A writer as a busy gateway has it: 64 events each millisecond, made on the way. Says what memory it took at its most.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateEvent } from '../harness/events.mjs'
import { memoryMib } from '../harness/proc.mjs'
import { Random } from '../harness/random.mjs'
import { importJournal } from './library.mjs'
import { answer, configuration, readyAndGo } from './support.mjs'

const PER_MS = 64

const { directory, events, seed } = configuration
const random = new Random(seed)
const { openJournal } = await importJournal()
const journal = openJournal({ directory: join(directory, 'journal') })
await readyAndGo()

const startedAt = performance.now()
let appended = 0
while (appended < events) {
  const due = Math.min(events, Math.ceil((performance.now() - startedAt) * PER_MS))
  const timestamp = new Date().toISOString()
  // A thousand at most before the event loop has its turn, also where this machine is too slow for the rate.
  for (const end = Math.min(due, appended + 1000); appended < end; appended++) {
    journal.append(generateEvent(random, timestamp))
  }
  await sleep(appended < due ? 0 : 1)
}
await journal.close()
answer({ ...memoryMib(process.pid), seconds: (performance.now() - startedAt) / 1000 })
