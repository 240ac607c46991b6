// Run: node examples/fleet-gateway.js    A gateway of compose.yaml: it asks a made-up provider ten times a second, and logs each request.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { openJournal } from 'request-journal'
import { loggedFetch } from 'request-journal/fetch'

const PRICES = { 'gpt-4o': ['2.5', '10'], 'gpt-4o-mini': ['0.15', '0.6'] } // dollars per million tokens in and out
const TEAMS = ['search', 'support', 'billing']

// Stands for OpenAI: every twentieth request fails, and the others take up to 200 ms.
let asked = 0
const provider = createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const { model } = JSON.parse(Buffer.concat(chunks).toString())
  await delay(Math.random() * 200)
  const isFailure = ++asked % 20 === 0
  const usage = { prompt_tokens: 200 + (asked % 800), completion_tokens: 20 + (asked % 300) }
  const body = isFailure
    ? { error: { message: 'made to fail', type: 'server_error' } }
    : { model, choices: [], usage }
  response.writeHead(isFailure ? 503 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})
await once(provider.listen(0, '127.0.0.1'), 'listening')
const url = `http://127.0.0.1:${provider.address().port}/v1/chat/completions`

const journal = openJournal({ directory: process.env.REQUEST_JOURNAL_DIR ?? 'journal' })
for (const [model, [input, output]] of Object.entries(PRICES)) {
  const per_million = { input, output }
  journal.record({
    type: 'price_set',
    model,
    valid_from: '2026-01-01T00:00:00Z',
    currency: 'usd',
    per_million,
  })
}
console.log(`${hostname()} asks ten times a second`)

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())
for (let number = 0; !stop.signal.aborted; number++) {
  const model = number % 3 === 0 ? 'gpt-4o' : 'gpt-4o-mini'
  const fetch = loggedFetch(journal, { provider: 'openai', labels: { team: TEAMS[number % TEAMS.length] } })
  fetch(url, { method: 'POST', body: JSON.stringify({ model, messages: [] }) })
    .then((answer) => answer.text())
    .catch(() => {}) // it is logged
  await delay(100, undefined, { signal: stop.signal }).catch(() => {})
}
provider.close()
await journal.close()
