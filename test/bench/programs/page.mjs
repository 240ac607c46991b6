// Turns pages of the request list by their cursor, and says how long the page asked for took.
import { distribution } from '../harness/statistics.mjs'
import { answer, configuration } from './support.mjs'

const { url, path, page, perPage, times } = configuration

/** @param {string} cursor `start`: the first page */
async function turn(cursor) {
  const response = await fetch(`${url}${path}&per_page=${perPage}&cursor=${encodeURIComponent(cursor)}`)
  const body = /** @type {{ data: object[], next_cursor: string }} */ (await response.json())
  if (!response.ok) throw new Error(JSON.stringify(body))
  if (body.data.length !== perPage) throw new Error(`a page has ${body.data.length} of ${perPage} requests`)
  return body.next_cursor
}

let cursor = 'start'
for (let turned = 1; turned < page; turned++) cursor = await turn(cursor)
for (let round = 0; round < 5; round++) await turn(cursor)
const durations = new Float64Array(times)
for (let round = 0; round < times; round++) {
  const startedAt = performance.now()
  await turn(cursor)
  durations[round] = performance.now() - startedAt
}
answer(distribution(durations))
