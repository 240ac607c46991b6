// Asks at a steady rate, whether answers come or not, and says how long each took from when it was due.
import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { distribution } from '../harness/statistics.mjs'
import { answer, configuration } from './support.mjs'

const LOOK_MS = 1000
const CONNECTIONS = 64

const { url, paths, perSecond, seconds } = configuration
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
const total = perSecond * seconds
const durations = new Float64Array(total)
/** @type {Map<string, number>} */
const failures = new Map()
/** @type {Promise<void>[]} */
const answers = []
let maxLagSeconds = 0

const startedAt = performance.now()
const looks = lookAtLag()
for (let asked = 0; asked < total; ) {
  const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1)
  for (; asked < due; asked++) answers.push(ask(asked))
  await sleep(1)
}
await Promise.all(answers)
await looks
agent.destroy()
const { p50, p99, max } = distribution(durations)
answer({ p50, p99, max, errors: [...failures.values()].reduce((sum, n) => sum + n, 0), lag: maxLagSeconds })
if (failures.size > 0) console.error(Object.fromEntries(failures))

/** @param {number} index */
async function ask(index) {
  const dueAt = startedAt + (index / perSecond) * 1000
  const status = await request(paths[index % paths.length])
  durations[index] = performance.now() - dueAt
  if (status !== '200') failures.set(status, (failures.get(status) ?? 0) + 1)
}

async function lookAtLag() {
  while (performance.now() - startedAt < seconds * 1000) {
    const response = await fetch(`${url}/healthz`)
    const { lag_seconds: lag } = /** @type {{ lag_seconds: number }} */ (await response.json())
    if (typeof lag !== 'number') throw new Error('/healthz says no lag_seconds')
    maxLagSeconds = Math.max(maxLagSeconds, lag)
    await sleep(LOOK_MS)
  }
}

/**
 * @param {string} path
 * @returns {Promise<string>} the status, or what failed
 */
function request(path) {
  return new Promise((resolve) => {
    get(url + path, { agent }, (response) => {
      response.resume()
      response.once('end', () => resolve(String(response.statusCode)))
      response.once('error', (error) => resolve(error.message))
    }).once('error', (error) => resolve(error.message))
  })
}
