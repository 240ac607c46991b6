// What it takes to bring one line to this disk: the median of many, each a line appended and synced.
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { distribution } from '../harness/statistics.mjs'
import { answer, configuration } from './support.mjs'

const LINE = `${'x'.repeat(350)}\n`

const { directory, times } = configuration
const descriptor = openSync(join(directory, 'synced'), 'a', 0o600)
const durationsMs = new Float64Array(times)
for (let index = 0; index < times; index++) {
  writeSync(descriptor, LINE)
  const startedAt = performance.now()
  fdatasyncSync(descriptor)
  durationsMs[index] = performance.now() - startedAt
}
const { p50, p99, max } = distribution(durationsMs)
answer({ p50, p99, max })
