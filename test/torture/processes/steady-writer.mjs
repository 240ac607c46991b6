// Records an event every few milliseconds until stdin ends, and prints each correlation_id; then flushes.
// "lost" and "flush: …" on stdout say what the journal said.
// Usage: steady-writer.mjs JOURNAL NAME PAUSE_MS
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openJournal } from '../../../dist/index.js'

const [directory, name, pause] = process.argv.slice(2)
const say = (text) => writeSync(1, `${text}\n`)
const logger = {
  warn: (_, message) => say(`warning: ${message}`),
  error: (_, message) => say(`error: ${message}`),
}
const journal = openJournal({ directory, logger })
let isOver = false
process.stdin.on('end', () => {
  isOver = true
})
process.stdin.resume()
for (let i = 0; !isOver; i++) {
  say(journal.record({ correlation_id: `${name}-${i}`, model: 'm', latency_ms: 1, success: true }))
  await sleep(Number(pause))
}
for (;;) {
  try {
    await journal.close()
    break
  } catch (error) {
    say(`flush: ${error.code}`)
  }
}
say('closed')
