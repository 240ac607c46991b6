// Run: OPENAI_API_KEY=sk-... node examples/script.js "Why is the sky blue?"    Then look: npx request-journal serve --project
import OpenAI from 'openai'
import { openJournal } from 'request-journal'
import { loggedFetch } from 'request-journal/fetch'

const journal = openJournal() // in ./journal
// `includeUsage` asks OpenAI to tell the tokens of a stream, which it does only when asked.
const fetch = loggedFetch(journal, { labels: { program: 'script' }, includeUsage: true })
const openai = new OpenAI({ fetch })

const stream = await openai.chat.completions.create({
  model: 'gpt-4o-mini',
  messages: [{ role: 'user', content: process.argv[2] ?? 'Why is the sky blue?' }],
  stream: true,
})
for await (const { choices } of stream) process.stdout.write(choices[0]?.delta.content ?? '')
process.stdout.write('\n')

await journal.close() // makes it durable; without it, that takes a second
