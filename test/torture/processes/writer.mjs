// Appends as fast as it can and prints what it was promised: the correlation_id of each append that has returned.
// Usage: writer.mjs JOURNAL NAME BYTES, where BYTES pads each line.
import { writeSync } from 'node:fs'
import { openJournal } from '../../../dist/index.js'

const [directory, name, bytes] = process.argv.slice(2)
const journal = openJournal({ directory })
const padding = { padding: 'x'.repeat(Number(bytes)) }
for (let i = 0; ; i++) {
  const { correlation_id } = journal.append({
    correlation_id: `${name}-${i}`,
    model: 'm',
    policy: 'chat',
    input_tokens: 10,
    output_tokens: i % 100,
    latency_ms: 1,
    success: true,
    streaming: i % 3 === 0,
    ...padding,
  })
  // Synchronously: a promise that is printed after the kill would be lost, one printed before the append a lie.
  writeSync(1, `${correlation_id}\n`)
  if (i % 3 === 0) {
    journal.append({
      type: 'stream_completed',
      correlation_id,
      input_tokens: 10,
      output_tokens: 7,
      cost_sats: 1,
      provider_cost_sats: null,
      stream_duration_ms: 5,
      success: true,
      error_status: null,
      error_message: null,
    })
  }
}
