import { loggedFetch } from '../../clients/fetch/index.js'
import type { Journal } from '../../journal/append/journal.js'
import { type DemoModel, demoRequest } from './demo-traffic.js'
import { INDEX_HEADER } from './demo-upstream.js'

/** What the demo uses of the `openai` package, which isn't a dependency of this one. */
interface OpenAI {
  chat: { completions: { create(body: Body, options: { headers: Headers }): Promise<object> } }
}
type OpenAIClass = new (options: {
  apiKey: string
  baseURL: string
  maxRetries: number
  fetch: Fetch
}) => OpenAI

type Fetch = typeof globalThis.fetch
type Body = { model: string; messages: object[]; stream: boolean }
type Headers = Record<string, string>

/** Sends one request and reads the answer to its end. */
type Send = (body: Body, headers: Headers) => Promise<unknown>

/** Sends requests to the demo's upstream, as programs do to a provider. */
export interface DemoClient {
  /** What it sends requests with, for people. */
  name: string
  /** Sends the request of this index. Resolves even if the answer is an error or breaks off. */
  send(index: number): Promise<void>
}

/**
 * Makes a client from the `openai` package if that is installed, as in a checkout, or else from
 * `fetch`.
 *
 * @param requestOf makes up the request of an index; the upstream must use the same function.
 */
export async function makeDemoClient(
  journal: Journal,
  baseUrl: string,
  requestOf = demoRequest,
): Promise<DemoClient> {
  const Client = await openAiClass()
  const makeSend = ({ provider, policy }: DemoModel): Send => {
    // This is all that it takes to log the calls to a model.
    const fetch = loggedFetch(journal, {
      provider,
      policy,
      labels: ({ header }) => requestOf(Number(header(INDEX_HEADER))).labels,
      includeUsage: true,
    })
    if (Client === null) return sendByFetch(fetch, baseUrl)
    return sendByPackage(new Client({ apiKey: 'made up', baseURL: baseUrl, maxRetries: 1, fetch }))
  }
  const sends = new Map<string, Send>()
  return {
    name: Client === null ? 'fetch' : 'the openai package',
    async send(index) {
      const { model, streaming } = requestOf(index)
      const send = sends.get(model.model) ?? makeSend(model)
      sends.set(model.model, send)
      const messages = [{ role: 'user', content: 'made up' }]
      const body = { model: model.model, messages, stream: streaming }
      // The journal has what went wrong.
      await send(body, { [INDEX_HEADER]: String(index) }).catch(() => {})
    },
  }
}

async function openAiClass(): Promise<OpenAIClass | null> {
  // A variable, since a bundler would try to find a package that the import names.
  const name = 'openai'
  try {
    const { OpenAI } = (await import(name)) as { OpenAI: OpenAIClass }
    return OpenAI
  } catch {
    return null
  }
}

function sendByPackage({ chat }: OpenAI): Send {
  return async (body, headers) => {
    const answer = await chat.completions.create(body, { headers })
    if (body.stream) for await (const _ of answer as AsyncIterable<unknown>);
  }
}

function sendByFetch(fetch: Fetch, baseUrl: string): Send {
  return async (body, headers) => {
    const answer = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    await answer.text()
  }
}
