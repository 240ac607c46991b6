import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { expect } from 'vitest'
import type { TestServer } from '../support.js'

export interface StreamEvent {
  event: string
  id: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: tests look into entries
  data: any
}

/** An open stream, read event by event. */
export class Listener {
  readonly response: IncomingMessage
  readonly #request: ClientRequest
  readonly #events: AsyncGenerator<StreamEvent>
  /** Everything that came, comments included. */
  text = ''

  private constructor(sent: ClientRequest, response: IncomingMessage) {
    this.#request = sent
    this.response = response
    this.#events = this.#read()
  }

  static async open(server: TestServer, query = '', headers: Record<string, string> = {}): Promise<Listener> {
    const sent = request(new URL(`/v1/stream${query}`, server.url), { headers, agent: false })
    sent.end()
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.on('response', resolve)
      sent.on('error', reject)
    })
    expect(response.statusCode).toBe(200)
    const listener = new Listener(sent, response)
    // The first bytes mean that it is among those that are told.
    expect((await listener.#events.next()).value.event).toBe('opened')
    return listener
  }

  async next(): Promise<StreamEvent> {
    const { value, done } = await this.#events.next()
    if (done) throw new Error('the stream has ended')
    return value
  }

  async ids(count: number): Promise<number[]> {
    const ids: number[] = []
    while (ids.length < count) ids.push((await this.next()).data.id)
    return ids
  }

  /** Resolves when the server has ended it. */
  async ended(): Promise<void> {
    while (!(await this.#events.next()).done);
  }

  close(): void {
    this.#request.destroy()
  }

  async *#read(): AsyncGenerator<StreamEvent> {
    let rest = ''
    for await (const chunk of this.response.setEncoding('utf8')) {
      this.text += chunk
      rest += chunk
      const blocks = rest.split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s) as [string, string]))
        if (fields.has('retry')) yield { event: 'opened', id: undefined, data: null }
        if (fields.has('event')) {
          yield {
            event: fields.get('event') ?? '',
            id: fields.get('id'),
            data: JSON.parse(fields.get('data') ?? ''),
          }
        }
      }
    }
  }
}
