// Clients of a model: so many calls at once, or so many a second, whether answers come or not. Says how long they took.
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { distribution } from '../harness/statistics.mjs'
import { answer, configuration } from './support.mjs'

const { url, path, headers = {}, atOnce = Number.POSITIVE_INFINITY, perSecond = null, calls } = configuration
const agent = new Agent({ keepAlive: true, maxSockets: Math.min(atOnce, 1000) })
const body = JSON.stringify({
  messages: [{ role: 'user', content: 'some words of a question '.repeat(40) }],
  model: 'gpt-4o',
  stream: path.includes('?'),
})
const durations = new Float64Array(calls)

const startedAt = performance.now()
if (perSecond === null) {
  let next = 0
  const callOneAfterTheOther = async () => {
    while (next < calls) await call(next++, performance.now())
  }
  await Promise.all(Array.from({ length: atOnce }, callOneAfterTheOther))
} else {
  /** @type {Promise<void>[]} */
  const answers = []
  while (answers.length < calls) {
    const dueAt = startedAt + (answers.length / perSecond) * 1000
    if (performance.now() >= dueAt) answers.push(call(answers.length, dueAt))
    else await sleep(1)
  }
  await Promise.all(answers)
}
agent.destroy()
const { p50, p99 } = distribution(durations)
answer({ p50, p99, seconds: (performance.now() - startedAt) / 1000 })

/**
 * @param {number} index
 * @param {number} from
 * @returns {Promise<void>}
 */
function call(index, from) {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
    })
    sent.once('error', reject).once('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`HTTP ${response.statusCode}`))
      response.resume()
      response.once('error', reject).once('end', () => {
        durations[index] = performance.now() - from
        resolve()
      })
    })
    sent.end(body)
  })
}
