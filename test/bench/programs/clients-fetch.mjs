// Streams through fetch alone and through loggedFetch, in turns; or many at once through one of them.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answer, configuration } from './support.mjs'

const { checkout, directory, streams, isLogged, atOnce } = configuration
const { openJournal } = await import(`${checkout}/dist/index.js`)
const { loggedFetch } = await import(`${checkout}/dist/clients/fetch/index.js`)

const upstream = fork(fileURLToPath(new URL('clients-upstream.mjs', import.meta.url)), [
  JSON.stringify(configuration),
])
const [{ port }] = await once(upstream, 'message')
const url = `http://127.0.0.1:${port}/v1/chat/completions`
const call = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: 'x'.repeat(2000) }],
    stream: true,
    stream_options: { include_usage: true },
  }),
}
const journal = openJournal({ directory })
const logged = loggedFetch(journal)

if (atOnce === undefined) {
  const [bare, ours] = [[], []].map((list) => /** @type {object[]} */ (list))
  for (let at = 0; at < streams * 1.2; at++) {
    // What one leaves to be collected or closed falls to the next: each is first every other time.
    const turns = at % 2 === 0 ? [fetch, logged] : [logged, fetch]
    for (const get of turns) {
      const measured = await stream(get)
      if (at >= streams * 0.2) (get === fetch ? bare : ours)?.push(measured)
    }
  }
  answer({ bare, logged: ours })
} else {
  const get = isLogged ? logged : fetch
  await Promise.all(Array.from({ length: atOnce }, () => stream(get, true)))
  const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
  answer({ peak })
}
await journal.close()
upstream.disconnect()

/**
 * @param {typeof fetch} get
 * @param {boolean} [isSlow]
 */
async function stream(get, isSlow = false) {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const response = await get(url, call)
  let firstByteMs = 0
  for await (const _ of response.body ?? []) {
    if (firstByteMs === 0) firstByteMs = performance.now() - startedAt
    if (isSlow) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const { user, system } = process.cpuUsage(cpu)
  return { firstByteMs, wholeMs: performance.now() - startedAt, cpuMs: (user + system) / 1000 }
}
