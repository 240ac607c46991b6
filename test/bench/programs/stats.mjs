// Asks for the sums of 30 days, one question after the other over one connection, and says how long each answer took.
import { distribution } from '../harness/statistics.mjs'
import { importQueries } from './library.mjs'
import { answer, configuration } from './support.mjs'

const { database, questions, times, warmUp } = configuration
const { openDatabaseReadOnly, stats } = await importQueries()
const connection = openDatabaseReadOnly(database)
const since = new Date(Date.now() - 30 * 86_400_000).toISOString()

const durations = new Float64Array(times * questions.length)
for (let round = -warmUp; round < times; round++) {
  for (const [index, question] of questions.entries()) {
    const startedAt = performance.now()
    const { counts } = stats(connection, { since, ...question })
    const elapsed = performance.now() - startedAt
    if (counts.total === 0) throw new Error(`${JSON.stringify(question)} found nothing`)
    if (round >= 0) durations[round * questions.length + index] = elapsed
  }
}
connection.close()
answer(distribution(durations))
