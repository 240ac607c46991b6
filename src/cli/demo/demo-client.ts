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

/** Asks one request and reads the answer to its end. */
type Ask = (request: DemoRequest, headers: Record<string, string>) => Promise<void>

/** Asks the demo's upstream, as programs ask a provider. */
export class DemoClient {
  /** What it asks with, for people. */
  readonly name: string
  readonly #ask: Ask
  readonly #requestOf: typeof demoRequest

  private constructor(name: string, ask: Ask, requestOf: typeof demoRequest) {
    this.name = name
    this.#ask = ask
    this.#requestOf = requestOf
  }

  /**
   * Makes a client of the `openai` package if that is installed, as in a checkout; else of `fetch`.
   *
   * @param requestOf makes up the request of an index, as the upstream does.
   */
  static async make(journal: Journal, baseUrl: string, requestOf = demoRequest): Promise<DemoClient> {
    const fetches = new FetchByModel(journal, requestOf)
    const Client = await openAiClass()
    if (Client === null) return new DemoClient('fetch', askByFetch(fetches, baseUrl), requestOf)
    return new DemoClient('the openai package', askByPackage(Client, fetches, baseUrl), requestOf)
  }

  /** Sends the request of this index. An answer that fails, or breaks off, fails nothing here. */
  async send(index: number): Promise<void> {
    try {
      await this.#ask(this.#requestOf(index), { [INDEX_HEADER]: String(index) })
    } catch {
      // The journal has what went wrong.
    }
  }
}

/** Gives each model the fetch that logs its calls: the only thing here that a journal needs. */
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
  // A bundler would look for a name that it could read.
  const name = 'openai'
  try {
    const { OpenAI } = (await import(name)) as { OpenAI: OpenAIClass }
    return OpenAI
  } catch {
    return null
  }
}

function askByPackage(Client: OpenAIClass, fetches: FetchByModel, baseURL: string): Ask {
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

function askByFetch(fetches: FetchByModel, baseUrl: string): Ask {
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
