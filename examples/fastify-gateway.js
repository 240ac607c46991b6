// Run: OPENAI_API_KEY=sk-... node examples/fastify-gateway.js    Then send chat completions to the URL that it prints.
import Fastify from 'fastify'
import { openJournal } from 'request-journal'
import { loggedFetch } from 'request-journal/fetch'

const { OPENAI_BASE_URL = 'https://api.openai.com/v1', OPENAI_API_KEY, PORT = '3000' } = process.env
const journal = openJournal()
const app = Fastify({ bodyLimit: 16 * 1024 * 1024 })

app.post('/v1/chat/completions', async (request, reply) => {
  const labels = { user: String(request.headers['x-user'] ?? 'nobody') }
  const fetch = loggedFetch(journal, { provider: 'openai', labels, includeUsage: true })
  // A client that leaves must not be paid for: the provider stops, and the row says who ended it.
  const left = new AbortController()
  reply.raw.once('close', () => left.abort())
  const answer = await fetch(`${OPENAI_BASE_URL}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPENAI_API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(request.body),
    signal: left.signal,
  })
  reply.code(answer.status).type(answer.headers.get('content-type') ?? 'application/json')
  return reply.send(answer.body) // as it comes, streamed or not
})

app.addHook('onClose', () => journal.close())
console.log(await app.listen({ port: Number(PORT) }))
