// What one asks a plain request table: counts and sums of a month by model.
import SQLite from 'better-sqlite3'
import { distribution } from '../harness/statistics.mjs'
import { answer, configuration } from './support.mjs'

const { database: path, since, until, times } = configuration
const database = new SQLite(path, { readonly: true })
const query = database.prepare(
  `SELECT model, count(*), sum(success), sum(streaming), sum(cost_sats), sum(input_tokens), sum(output_tokens),
     avg(latency_ms)
   FROM requests WHERE timestamp >= ? AND timestamp <= ? GROUP BY model`,
)
const durations = new Float64Array(times)
for (let round = 0; round < times; round++) {
  const startedAt = performance.now()
  if (query.all(since, until).length === 0) throw new Error('the window has no requests')
  durations[round] = performance.now() - startedAt
}
database.close()
answer(distribution(durations))
