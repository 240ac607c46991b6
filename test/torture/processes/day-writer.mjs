// Appends N events as fast as it can, with a clock that is shifted; flushes, and says so.
// Usage: day-writer.mjs JOURNAL NAME COUNT MIDNIGHT_MS: its clock says MIDNIGHT_MS half-way.

import { openJournalWith } from '../../../dist/journal/append/journal.js'
import { nodeFileSystem } from '../../../dist/journal/file-system.js'

const [directory, name, count, midnight] = process.argv.slice(2)
let written = 0
// By the count, not by the time: each writer passes midnight at another moment, half-way through its events.
const clock = { now: () => Number(midnight) + Math.round((written / Number(count) - 0.5) * 20_000) }
const journal = openJournalWith(
  { directory, logger: { warn() {}, error: console.error } },
  { fs: nodeFileSystem, clock },
)
console.log('open')
process.stdin.once('data', async () => {
  for (; written < Number(count); written++) {
    journal.append({
      correlation_id: `${name}-${written}`,
      model: name,
      latency_ms: 1,
      success: true,
      policy: 'p',
    })
    if (written % 50 === 0) await new Promise(setImmediate)
  }
  await journal.close()
  console.log('done')
  process.exit()
})
