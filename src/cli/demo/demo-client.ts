import { loggedFetch } from '../../clients/fetch/index.js'
import type { Journal } from '../../journal/append/journal.js'
import { type DemoModel, type DemoRequest, demoRequest } from './demo-traffic.js'
import { INDEX_HEADER } from './demo-upstream.js'

/** What the demo uses of the `openai` package, which isn't a dependency of this one. */
interface OpenAI {
  chat: {
    completions: {
      create(body: object, options: { headers: Record<string, string> }): Promise<object>
    }
  }
}
type OpenAIClass = new (options: {
  apiKey: string
  baseURL: string
  maxRetries: number
  fetch: typeof globalThis.fetch
}) => OpenAI

type Fetch = typeof globalThis.fetch

/** Sends one request and reads the answer to its end. */
type Send = (request: DemoRequest, headers: Record<string, string>) => Promise<void>

/** Sends requests to the demo's upstream, as programs do to a provider. */
export class DemoClient {
  /** What it sends requests with, for people. */
  readonly name: string
  readonly #send: Send
  readonly #requestOf: typeof demoRequest

  private constructor(name: string, send: Send, requestOf: typeof demoRequest) {
    this.name = name
    this.#send = send
    this.#requestOf = requestOf
  }

  /**
   * Makes a client from the `openai` package if that is installed, as in a checkout, or else from
   * `fetch`.
   *
   * @param requestOf makes up the request of an index; the upstream must use the same function.
   */
  static async make(journal: Journal, baseUrl: string, requestOf = demoRequest): Promise<DemoClient> {
    const fetches = new FetchByModel(journal, requestOf)
    const Client = await openAiClass()
    if (Client === null) return new DemoClient('fetch', sendByFetch(fetches, baseUrl), requestOf)
    return new DemoClient('the openai package', sendByPackage(Client, fetches, baseUrl), requestOf)
  }

  /** Sends the request of this index. Resolves even if the answer is an error or breaks off. */
  async send(index: number): Promise<void> {
    try {
      await this.#send(this.#requestOf(index), { [INDEX_HEADER]: String(index) })
    } catch {
      // The journal has what went wrong.
    }
  }
}

/** Gives each model a `fetch` that logs its calls, which is all that it takes to log them. */
class FetchByModel {
  readonly #journal: Journal
  readonly #requestOf: typeof demoRequest
  readonly #fetches = new Map<string, Fetch>()

  constructor(journal: Journal, requestOf: typeof demoRequest) {
    this.#journal = journal
    this.#requestOf = requestOf
  }

  of({ model, provider, policy }: DemoModel): Fetch {
    let fetch = this.#fetches.get(model)
    fetch ??= loggedFetch(this.#journal, {
      provider,
      policy,
      labels: ({ header }) => this.#requestOf(Number(header(INDEX_HEADER))).labels,
      includeUsage: true,
    })
    this.#fetches.set(model, fetch)
    return fetch
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

function sendByPackage(Client: OpenAIClass, fetches: FetchByModel, baseURL: string): Send {
  const clients = new Map<Fetch, OpenAI>()
  return async ({ model, streaming }, headers) => {
    const fetch = fetches.of(model)
    const client = clients.get(fetch) ?? new Client({ apiKey: 'made up', baseURL, maxRetries: 1, fetch })
    clients.set(fetch, client)
    const answer = await client.chat.completions.create(bodyOf(model, streaming), { headers })
    if (!streaming) return
    for await (const _ of answer as AsyncIterable<unknown>);
  }
}

function sendByFetch(fetches: FetchByModel, baseUrl: string): Send {
  return async ({ model, streaming }, headers) => {
    const answer = await fetches.of(model)(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(bodyOf(model, streaming)),
    })
    await answer.text()
  }
}

function bodyOf({ model }: DemoModel, stream: boolean): object {
  return { model, messages: [{ role: 'user', content: 'made up' }], stream }
}
