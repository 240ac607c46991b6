// Posts batches of events to a server, so many at once, and says how many events a second were answered as durable.
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { answer, configuration, readEvents } from './support.mjs'

const { url, token, eventsFile, batch, atOnce, warmUp } = configuration
const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
const events = readEvents(eventsFile)
/** Encoded before: what a client's own encoding costs isn't measured. @type {Buffer[]} */
const bodies = []
for (let start = 0; start < events.length; start += batch) {
  bodies.push(Buffer.from(JSON.stringify(events.slice(start, start + batch))))
}

await postAll(bodies.slice(0, warmUp / batch))
const startedAt = performance.now()
await postAll(bodies.slice(warmUp / batch))
answer({ ingested: ((events.length - warmUp) / (performance.now() - startedAt)) * 1000 })
agent.destroy()

/** @param {Buffer[]} all */
async function postAll(all) {
  let next = 0
  const caller = async () => {
    for (let body = all[next++]; body !== undefined; body = all[next++]) await post(body)
  }
  await Promise.all(Array.from({ length: atOnce }, caller))
}

/**
 * @param {Buffer} body
 * @returns {Promise<void>}
 */
function post(body) {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'idempotency-key': randomUUID(),
  }
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v1/events`, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 200) resolve()
        else reject(new Error(`the server answered ${response.statusCode}`))
      })
    })
    sent.once('error', reject)
    sent.end(body)
  })
}
