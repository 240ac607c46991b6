// Run: OPENAI_API_KEY=sk-... ANTHROPIC_API_KEY=sk-... node examples/ai-sdk.js "Why is the sky blue?"
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, streamText } from 'ai'
import { openJournal } from 'request-journal'
import { loggedFetch } from 'request-journal/fetch'

const journal = openJournal()
const fetch = loggedFetch(journal, { labels: { team: 'search' } })
// With the proxy of request-journal or another server of your own, base URLs come from the environment.
const { OPENAI_BASE_URL, ANTHROPIC_BASE_URL } = process.env
const openai = createOpenAI({ fetch, ...(OPENAI_BASE_URL && { baseURL: OPENAI_BASE_URL }) })
const anthropic = createAnthropic({ fetch, ...(ANTHROPIC_BASE_URL && { baseURL: ANTHROPIC_BASE_URL }) })
const prompt = process.argv[2] ?? 'Why is the sky blue?'

const { textStream } = streamText({ model: openai('gpt-4.1'), prompt })
for await (const text of textStream) process.stdout.write(text)
process.stdout.write('\n')

const { text } = await generateText({ model: anthropic('claude-sonnet-4-5'), prompt })
console.log(text)

await journal.close()
