import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import { loggedFetch } from '../../src/clients/fetch/index.js'
import { openJournal } from '../../src/index.js'
import { projectOnce } from '../../src/projection/index.js'
import { KEY, PROMPT } from '../clients/upstream/answers.js'
import { startUpstream, type Upstream } from '../clients/upstream/upstream.js'
import { runHere } from '../support/command.js'

const QUESTION = { role: 'user', content: PROMPT } as const

/** Asks each provider once with its own package, streamed or not, and logs it. */
async function askAll(directory: string, { url }: Upstream): Promise<void> {
  const journal = openJournal({ directory })
  const fetchFor = (provider: string) => loggedFetch(journal, { provider, includeUsage: true })
  const openai = new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, fetch: fetchFor('openai') })
  const chat = await openai.chat.completions.create({ model: 'gpt-4o', messages: [QUESTION], stream: true })
  for await (const _ of chat);
  const anthropic = new Anthropic({ apiKey: KEY, baseURL: url, fetch: fetchFor('anthropic') })
  await anthropic.messages.create({ model: 'claude-sonnet-4-6', messages: [QUESTION], max_tokens: 100 })
  const httpOptions = { baseUrl: url, fetch: fetchFor('google') }
  const google = new GoogleGenAI({ apiKey: KEY, httpOptions })
  await google.models.generateContent({ model: 'gemini-2.5-flash', contents: PROMPT })
  await journal.close()
}

test('rows of clients have costs once their prices are known, and until then the models without a price are named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-client-costs-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const place = { journal: join(folder, 'journal'), database: join(folder, 'requests.db') }
  const ask = (...args: string[]) => runHere([...args, '--db', place.database])
  await askAll(place.journal, await startUpstream())
  await projectOnce(place)

  const { unpriced } = (await ask('prices', 'unpriced', '--json')).json
  const named = (unpriced as Record<string, unknown>[]).map(({ provider, model }) => [provider, model])
  expect(named.toSorted()).toEqual([
    ['anthropic', 'claude-sonnet-4-6'],
    ['google', 'gemini-2.5-flash'],
    ['openai', 'gpt-4o'],
  ])

  const since = ['--valid-from', '2026-01-01T00:00:00Z', '--journal', place.journal]
  const set = (model: string, ...prices: string[]) => runHere(['prices', 'set', model, ...prices, ...since])
  await set('gpt-4o-2024-08-06', '--input', '2.5', '--cache-read-input', '1.25', '--output', '10')
  // A price may have the name that was asked for, or that of the model that answered, as before.
  const written = ['--cache-creation-input', '3.75']
  await set('claude-sonnet-4-6', '--input', '3', '--cache-read-input', '0.3', ...written, '--output', '15')
  await set('gemini-2.5-flash', '--input', '0.3', '--cache-read-input', '0.075', '--output', '2.5')
  await projectOnce(place)

  expect((await ask('prices', 'unpriced', '--json')).json['unpriced']).toEqual([])
  const rows = (await ask('export')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(rows.map(({ provider, cost_usd, cost_source }) => [provider, cost_usd, cost_source])).toEqual([
    // 11 new tokens at 2.5, 8 from the cache at 1.25, 10 out at 10, for a million.
    ['openai', 0.0001375, 'price_book'],
    // 25 new ones at 3, 1,000 from the cache at 0.3, 200 written to it at 3.75, 15 out at 15.
    ['anthropic', 0.00135, 'price_book'],
    // 8 new ones at 0.3, 4 from the cache at 0.075, 9 and 5 thoughts out at 2.5.
    ['google', 0.0000377, 'price_book'],
  ])
})
