// 64 callers at once, each of which logs an event and waits until it would survive a power cut, then the next one.
import { fdatasync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { importJournal } from './library.mjs'
import { answer, configuration, readEvents } from './support.mjs'

const CALLERS = 64

const { way, directory, eventsFile, warmUp } = configuration
const events = readEvents(eventsFile)
const run = way === 'ours' ? await ours() : floor()
await run(events.slice(0, warmUp))
const startedAt = performance.now()
await run(events.slice(warmUp))
answer({ rate: ((events.length - warmUp) / (performance.now() - startedAt)) * 1000 })

async function ours() {
  const { openJournal } = await importJournal()
  const journal = openJournal({ directory: join(directory, 'journal') })
  return async (/** @type {any[]} */ all) => {
    let next = 0
    const call = async () => {
      for (let event = all[next++]; event !== undefined; event = all[next++]) {
        journal.append(event)
        await journal.flush()
      }
    }
    await Promise.all(Array.from({ length: CALLERS }, call))
  }
}

function floor() {
  mkdirSync(join(directory, 'journal'))
  const descriptor = openSync(join(directory, 'journal', 'floor.ndjson'), 'a', 0o600)
  const sync = promisify(fdatasync)
  return async (/** @type {any[]} */ all) => {
    for (let start = 0; start < all.length; start += CALLERS) {
      for (const event of all.slice(start, start + CALLERS))
        writeSync(descriptor, `${JSON.stringify(event)}\n`)
      await sync(descriptor)
    }
  }
}
