// Run: OPENAI_API_KEY=sk-... OPENROUTER_API_KEY=sk-... node examples/express-gateway.js    Then send chat completions to it.
import express from 'express'
import { openJournal } from 'request-journal'

const {
  OPENAI_BASE_URL,
  OPENAI_API_KEY,
  OPENROUTER_BASE_URL,
  OPENROUTER_API_KEY,
  PORT = '3001',
} = process.env
const providers = [
  { provider: 'openai', url: OPENAI_BASE_URL ?? 'https://api.openai.com/v1', key: OPENAI_API_KEY },
  {
    provider: 'openrouter',
    url: OPENROUTER_BASE_URL ?? 'https://openrouter.ai/api/v1',
    key: OPENROUTER_API_KEY,
  },
]
const journal = openJournal()
const app = express().use(express.json({ limit: '16mb' }))

// Asks one provider after the other. Each attempt is a row of its own; they share a correlation_id.
app.post('/v1/chat/completions', async (request, response) => {
  const question = { ...request.body, stream: false }
  let correlation_id
  for (const [attempt, { provider, url, key }] of providers.entries()) {
    const logged = journal.begin({
      model: question.model,
      provider,
      correlation_id,
      attempt,
      policy: 'in order',
    })
    correlation_id = logged.correlation_id
    try {
      const answer = await fetch(`${url}/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(question),
      })
      const body = await answer.json()
      if (answer.ok) {
        const { prompt_tokens: input_tokens = null, completion_tokens: output_tokens = null } =
          body.usage ?? {}
        logged.complete({ input_tokens, output_tokens, response_model: body.model })
      } else {
        logged.fail({ error_status: answer.status, error_message: body.error?.message ?? null })
      }
      // Another provider can help when this one is overloaded, but not against a wrong question.
      if (answer.status < 429) return response.status(answer.status).json(body)
    } catch (error) {
      logged.fail({ error_message: error.message })
    }
  }
  return response.status(502).json({ error: { message: 'no provider has answered' } })
})

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})
