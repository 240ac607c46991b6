// Asks a server one question after the other, over one connection, and says how long each answer took.
import { distribution } from '../harness/statistics.mjs'
import { answer, configuration } from './support.mjs'

const { url, paths, times, warmUp } = configuration

/** @param {string} path */
async function ask(path) {
  const response = await fetch(url + path)
  const body = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${body.slice(0, 300)}`)
  return body
}

for (let round = 0; round < warmUp; round++) for (const path of paths) await ask(path)
const durations = new Float64Array(times * paths.length)
let asked = 0
for (let round = 0; round < times; round++) {
  for (const path of paths) {
    const startedAt = performance.now()
    await ask(path)
    durations[asked++] = performance.now() - startedAt
  }
}
answer(distribution(durations))
